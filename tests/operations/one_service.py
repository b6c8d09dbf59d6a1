"""Requests to a service with a built-in dialect, as plain values, and the answers to them."""

from __future__ import annotations

import json
from typing import Any

from sluicegate.clock import SetClock
from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Rewrite
from sluicegate.operations import Reader, RequestView
from sluicegate.operations.view import ReplyView
from sluicegate.problem import Answer
from sluicegate.settings import Settings

OURS = ["s3://acme-*", "https://hooks.acme.example"]


class Asking:
    """One service. `datasets` is table key to what stands under [datasets.*]; the service is called `it`."""

    def __init__(self, dialect: str, datasets: dict[str, Any] | None = None, **tables: Any) -> None:
        self.clock = SetClock()
        document = {
            "identity": {"issuer": "https://idp.test"},
            "gateway": {"internal_destinations": OURS},
            "services": {"it": {"hosts": ["it.test"], "dialect": dialect}},
            "datasets": {key: {"service": "it", **table} for key, table in (datasets or {}).items()},
            **tables,
        }
        self.settings = Settings.model_validate(document)
        self.reader = Reader(self.settings, self.clock)

    def view(self, request: str, body: Any = None, **headers: str | tuple[str, ...]) -> RequestView:
        """`METHOD /path?query`; a body that is not bytes is sent as JSON. Several values are several lines."""
        method, _, target = request.partition(" ")
        path, _, query = target.partition("?")
        sent = {
            name.lower().replace("_", "-"): value if isinstance(value, tuple) else (value,)
            for name, value in headers.items()
        }
        data = b""
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            if not isinstance(body, bytes):
                sent.setdefault("content-type", ("application/json",))
        return RequestView(method, path, query, sent, data, "it.test")

    def read(self, request: str, body: Any = None, person: str = "ada", **headers: Any) -> Operation:
        return self.reader.read(self.view(request, body, **headers), "it", "https://it.test", person)

    def rewritten(self, request: str, body: Any = None, **headers: Any) -> Rewrite | None:
        view = self.view(request, body, **headers)
        return self.reader.rewrite(view, "it", self.reader.read(view, "it", "https://it.test", "ada"))

    def delivered(
        self, request: str, answer: Any, body: Any = None, *, person: str = "ada", status: int = 200,
        media: str = "application/json", sent: dict[str, Any] | None = None,
    ) -> Delivery | None:  # fmt: skip
        """How the answer to a request is read; an answer that is not bytes is JSON."""
        view = self.view(request, body, **(sent or {}))
        operation = self.reader.read(view, "it", "https://it.test", person)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        reply = ReplyView(status, {"content-type": (media,)}, data)
        return self.reader.deliver(view, "it", operation, reply, person)

    def refused(self, request: str, status: int = 403) -> Answer:
        refusal = Refusal(
            status, "policy-denied", "Denied by policy", "Rule r1 says no.", next_step="Ask the owner of the data."
        )
        found = self.reader.refuse(self.view(request), "it", refusal)
        assert found is not None
        return found


SENTENCE = "Denied by policy: Rule r1 says no. Ask the owner of the data."
