"""A dialect as the pipeline uses it: read, rewritten, answered; one person's session, on a clock that stands still."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import urlencode

from sluicegate.clock import SetClock
from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Rewrite
from sluicegate.operations.destination import Ours
from sluicegate.operations.dialect import Dialect, Known
from sluicegate.operations.results import Results, Session
from sluicegate.operations.view import ReplyView, RequestView

KNOWN = Known(
    "warehouse",
    {"db1.s1.emp": "emp", "db1.s1.notes": "notes"},
    {"emp": frozenset({"ssn", "salary"}), "notes": frozenset()},
    (Ours.parse("gs://acme-*"), Ours.parse("s3://acme-*")),
    {"emp": ("id", "name", "ssn", "salary"), "notes": ("id", "text")},
)
DENIED = Refusal(403, "policy-denied", "Denied by rule R12", "Column ssn is not for you.", next_step="Leave ssn out.")
SENTENCE = "Denied by rule R12. Column ssn is not for you. Leave ssn out."


class Asker:
    """Somebody who asks a service; `known` is what the policy declares."""

    def __init__(self, dialect: Dialect, known: Known = KNOWN, owner: str = "idp ada") -> None:
        self.dialect, self.known = dialect, known
        self.results = Results(SetClock())
        self.session = Session(self.results, known.service, owner)
        self.view = RequestView("GET", "/")
        self.operation = Operation(known.service, "unknown")

    def another(self, owner: str) -> Asker:
        """Somebody else at the same service."""
        other = Asker(self.dialect, self.known, owner)
        other.results = self.results
        other.session = Session(self.results, self.known.service, owner)
        return other

    def ask(
        self,
        line: str,
        body: Any = b"",
        *,
        host: str = "db.test",
        zipped: bool = False,
        query: Any = None,
        **headers: str,
    ) -> Operation:
        """Send `METHOD /path?query`; a body that is no bytes goes as JSON."""
        method, _, target = line.partition(" ")
        path, _, text = target.partition("?")
        fields = {name.replace("_", "-"): (value,) for name, value in headers.items()}
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            fields.setdefault("content-type", ("application/json",))
        if zipped:
            body = gzip.compress(body)
            fields["content-encoding"] = ("gzip",)
        self.view = RequestView(method, path, urlencode(query) if query is not None else text, fields, body, host)
        self.operation = self.dialect.read(self.view, self.known, self.session)
        return self.operation

    @property
    def sent(self) -> Rewrite | None:
        """What goes out in the place of the last request."""
        return self.dialect.rewrite(self.view, self.operation, self.known)

    def answer(self, body: Any, status: int = 200, *, decoded: bool = True, **headers: str) -> Delivery | None:
        """The service's answer to the last request."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {name.replace("_", "-"): (value,) for name, value in headers.items()}
        reply = ReplyView(status, fields, content if decoded else b"", decoded)
        return self.dialect.deliver(self.view, self.operation, reply, self.known, self.session)

    def refused(self, refusal: Refusal = DENIED) -> Any:
        """How the last request would be refused."""
        return self.dialect.refuse(self.view, refusal)


def origins(outputs: Any) -> list[tuple[str, Any]]:
    """Names and base columns, for short comparisons."""
    return [
        (output.name, None if output.origins is None else sorted(column for _, column in output.origins))
        for output in outputs
    ]
