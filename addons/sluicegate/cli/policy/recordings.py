"""Recorded exchanges as questions to a policy: who asked, with what request, and when.

Services hand out handles that later requests name. So exchanges are gone through in their order, and each response is
shown to the dialect, as it was when it was recorded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from sluicegate import codings
from sluicegate.errors import Fault
from sluicegate.exchange import Assurance, Principal
from sluicegate.policy.context import Context
from sluicegate.recording.flow_reader import read_folder
from sluicegate.recording.recorded import Damage, Message, Recorded

if TYPE_CHECKING:
    from sluicegate.operations.view import ReplyView
    from sluicegate.pipeline.rehearsal import Asked, Judged, Rehearsal


@dataclass(frozen=True, slots=True)
class Question:
    """A recorded exchange that can be asked again."""

    recorded: Recorded
    principal: Principal
    asked: Asked
    context: Context
    """The moment, the address, the job, the risk, and when the person signed in. What was found and taken before is
    not in a recording."""


def questions(folder: Path, since: float = 0.0) -> Iterator[Question | str]:
    """Each exchange in its order, or why it cannot be asked again. Raises Fault for the folder."""
    try:
        found = sorted(_read(folder, since), key=lambda item: item.started if isinstance(item, Recorded) else 0.0)
    except OSError as error:
        hint = "Name the folder with --from FOLDER."
        raise Fault(f"There are no recordings to read in {folder}: {error.strerror}.", hint=hint) from None
    for item in found:
        yield str(item) if isinstance(item, Damage) else question(item)


def _read(folder: Path, since: float) -> Iterator[Recorded | Damage]:
    for item in read_folder(folder):
        if isinstance(item, Damage) or item.started >= since:
            yield item


def question(recorded: Recorded) -> Question | str:
    """The exchange as a question; a sentence where it is none."""
    subject, host = recorded.text("subject"), recorded.text("host")
    if not subject:
        return f"{recorded.id}: nobody is known to have asked"
    if not host or not recorded.text("path") or recorded.text("method") == "CONNECT":
        return f"{recorded.id}: it was refused before its request was read"
    if recorded.request.body is None:
        return f"{recorded.id}: the body of its request is not in the recording"
    shown = f"[{host}]" if ":" in host else host
    port = recorded.summary.get("port")
    headers = tuple(field for field in recorded.request.headers if not field[0].startswith(":"))
    from sluicegate.pipeline.rehearsal import Asked

    asked = Asked(
        recorded.text("method"),
        f"{recorded.text('scheme')}://{shown}:{port}{recorded.text('path')}",
        headers,
        recorded.request.body,
    )
    principal = Principal(
        subject,
        recorded.text("issuer"),
        frozenset(recorded.texts("groups")),
        session=recorded.text("session"),
        device=recorded.text("device") or None,
        name=recorded.text("name"),
        assurance=_assurance(recorded),
    )
    # A risk that was not known is recorded as null.
    risk, signed_in = recorded.summary.get("risk", 0.0), recorded.summary.get("authenticated")
    context = Context(
        now=recorded.started,
        client=recorded.text("client"),
        job=recorded.text("job") or None,
        risk=risk if isinstance(risk, float) else math.nan,
        signed_in=signed_in if isinstance(signed_in, float) else None,
    )
    return Question(recorded, principal, asked, context)


def _assurance(recorded: Recorded) -> Assurance:
    said = recorded.text("assurance")
    return cast("Assurance", said) if said in get_args(Assurance) else "bearer"


def judge(rehearsal: Rehearsal, asked: Question, max_body: int) -> Judged:
    """What a policy says to a recorded exchange; then its response is shown to the dialect. Raises ValueError."""
    judged = rehearsal.judge(asked.principal, asked.asked, asked.context)
    response = asked.recorded.response
    if response is not None:
        rehearsal.answered(judged, asked.asked, _reply(response, asked.recorded.status, max_body))
    return judged


def _reply(response: Message, status: int | None, max_body: int) -> ReplyView:
    from sluicegate.operations.view import ReplyView

    lines: dict[str, tuple[str, ...]] = {}
    for name, value in response.headers:
        lines[name.lower()] = (*lines.get(name.lower(), ()), value)
    body: bytes | None = response.body
    if body is not None:
        try:
            body = codings.decode(body, ", ".join(lines.get("content-encoding", ())), max_body)
        except codings.CodingError:
            body = None
    return ReplyView(status or 0, lines, body or b"", body is not None)
