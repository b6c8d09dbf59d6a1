"""What the policy commands share: a policy that is good enough to be asked, people, and requests out of cases."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sluicegate.cli.policy import curl
from sluicegate.errors import Fault
from sluicegate.exchange import Principal
from sluicegate.policy.cases import Asking, Person, Request
from sluicegate.settings import Loaded, PolicyFault, load

if TYPE_CHECKING:
    from sluicegate.pipeline.rehearsal import Asked

NOON = datetime(2026, 1, 7, 12, tzinfo=UTC).timestamp()
"""When a case is asked that does not say: noon of a Wednesday."""


def load_to_ask(path: Path) -> Loaded:
    """The policy, without looking for the services' secrets, which no question needs. Raises PolicyFault."""
    from sluicegate import identity, masking, operations, policy  # large, and not needed to print a help text

    loaded = load(path)
    problems = sorted(problem for room in (identity, operations, policy, masking) for problem in room.problems(loaded))
    if problems:
        raise PolicyFault(path, problems)
    return loaded


def principal_of(loaded: Loaded, subject: str, person: Person) -> Principal:
    """Somebody as the provider would have named them."""
    return Principal(
        subject,
        loaded.settings.identity.issuer,
        frozenset(person.groups),
        kind=person.kind,
        assurance=person.assurance,
    )


def asked_in(asking: Asking, folder: Path) -> Asked:
    """The request of a case; `@file` in curl's words is read from `folder`. Raises Fault."""
    request = asking.case.request
    try:
        if isinstance(request, Request):
            return _table(request)
        return typed(shlex.split(request), folder)
    except ValueError as error:
        raise Fault(f"The case {asking.name!r} in line {asking.line}: {error}.") from None


def typed(words: list[str], folder: Path) -> Asked:
    """A request in curl's words. Raises ValueError."""
    if words[:1] != ["curl"]:
        raise ValueError(f"the request begins with {words[0]!r} and not with curl" if words else "there is no request")
    return curl.parse(words, folder)


def _table(request: Request) -> Asked:
    headers = list(request.headers.items())
    body = request.body.encode() if request.body is not None else b""
    if request.json_body is not None:
        body = json.dumps(request.json_body).encode()
        if "content-type" not in {name.lower() for name in request.headers}:
            headers.append(("Content-Type", "application/json"))
    from sluicegate.pipeline.rehearsal import Asked

    return Asked(request.method, request.url, tuple(headers), body)


def moment(text: str | None, default: float) -> float:
    """Seconds since the epoch for an ISO 8601 time with its zone. Raises Fault."""
    if text is None:
        return default
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Fault(f"{text!r} is not a time with a time zone.", hint="Write it as 2026-01-07T12:00:00+01:00.")
    return found.timestamp()
