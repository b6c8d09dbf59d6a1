"""Detection over recordings: the same code as in the gateway, on the same exchanges, in the order of their answers."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sluicegate.detection import bodies
from sluicegate.detection.event import of_recorded, person
from sluicegate.detection.finding import Found
from sluicegate.detection.indicators import NAMES
from sluicegate.detection.look import Signal
from sluicegate.detection.taint import cells, outgoing
from sluicegate.detection.taint.held import Held, Received
from sluicegate.detection.taint.searching import search
from sluicegate.detection.taint.zones import Zones
from sluicegate.detection.watching import Watching
from sluicegate.detection.weighing import Weighing
from sluicegate.exchange import OTHERS
from sluicegate.recording.recorded import Message, Recorded

if TYPE_CHECKING:
    from sluicegate.settings import Settings


class Again:
    """Finds anew, under the settings that are given, what recordings add up to."""

    def __init__(self, settings: Settings) -> None:
        self.watching = Watching(Weighing(settings))
        self._key = secrets.token_bytes(32)  # fingerprints are compared within this run alone
        self._zones = Zones(settings, self._key)
        self._days = settings.detection.taint_days * 86_400
        self._received: dict[str, list[Received]] = {}

    def findings(self, item: Recorded) -> list[Found]:
        """What one exchange led to. Nothing where its metadata is not whole."""
        signals = self._looked(item)
        unlearned = item.text("method") == "CONNECT" or item.text("error") or item.text("socket") or item.status == 101
        if unlearned and not signals:
            return []  # live, nothing is learned of tunnels, of what broke off, and of single messages of a WebSocket
        request, response = item.request.body or b"", item.response
        body = (response.body if response is not None else None) or b""
        if item.summary.get("delivered") is not None:
            body = b""  # it passed piece by piece, and detection saw nothing of it
        operation = item.table("operation")
        dataset = item.text("dataset")
        rows: tuple[int, ...] = ()
        if response is not None and operation.get("declared") and not item.text("refusal"):
            rows = bodies.subjects(body, *_said(response), dataset)
        try:
            event = of_recorded(
                item.summary,
                status=item.status or 0,
                size=len(body),
                sent=len(request),
                asked=bodies.asked(request) if not operation.get("chunks") else "",
                subjects=rows,
                packed=bodies.packed(request),
                own=NAMES,
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            return []
        if event is None:
            return []
        found = self.watching.after(event, signals)
        self.watching.settle()
        self._learn(item)
        return found

    def _looked(self, item: Recorded) -> tuple[Signal, ...]:
        target, who = item.text("service"), _person(item)
        if not who or not target or not self._zones.looks(target):
            return ()
        oldest = item.started - self._days
        mine = [one for one in reversed(self._received.get(who, [])) if one.at >= oldest]
        held = Held.of(mine, lambda service: self._zones.elsewhere(service, target), self._zones.canaries)
        if not held.begin:
            return ()
        headers = [(name.encode(), value.encode("utf-8", "surrogatepass")) for name, value in item.request.headers]
        host = item.text("host")
        sent = outgoing.parts(item.request.body or b"", host, item.text("path"), headers, ())
        found = search(sent, _said(item.request)[0], held.begin, self._key)
        return held.judge(found, host if target == OTHERS else target, self._zones.canary_values)

    def _learn(self, item: Recorded) -> None:
        clear = tuple(clear_columns(item))
        dataset = item.text("dataset")
        if item.response is None or not item.response.body or item.text("refusal") or not clear:
            return
        if dataset not in self._zones.protected or not item.table("operation").get("declared"):
            return
        coding, media = _said(item.response)
        packed = cells.read(item.response.body, coding, media.lower(), clear, dataset, self._key)
        if packed:
            received = Received(dataset, item.text("service"), item.started, packed)
            self._received.setdefault(_person(item), []).append(received)


def recorded_findings(item: Recorded) -> Iterator[dict[str, object]]:
    """The findings that were written into an exchange when it happened."""
    listed = item.summary.get("findings")
    for one in listed if isinstance(listed, list | tuple) else ():
        if isinstance(one, dict) and isinstance(one.get("indicator"), str):
            evidence = one.get("evidence")
            yield {
                "at": item.started,
                "who": item.who,
                "indicator": one["indicator"],
                "detail": str(one.get("detail", "")),
                "evidence": {str(k): str(v) for k, v in evidence.items()} if isinstance(evidence, dict) else {},
                "exchange": item.id,
            }


def clear_columns(item: Recorded) -> list[str]:
    """The columns that left unmasked."""
    columns = item.table("exposure").get("columns")
    return [str(name) for name, word in columns.items() if word == "clear"] if isinstance(columns, dict) else []


def _person(item: Recorded) -> str:
    return person(item.text("issuer"), item.text("subject")) if item.text("subject") else ""


def _said(message: Message) -> tuple[str, str]:
    coding = [value for name, value in message.headers if name.lower() == "content-encoding"]
    media = [value for name, value in message.headers if name.lower() == "content-type"]
    return ", ".join(coding), ", ".join(media)
