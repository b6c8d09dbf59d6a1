"""Detection over recordings: the same code as in the gateway, on the same exchanges, in the order of their answers."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sluicegate.detection import bodies
from sluicegate.detection.event import Event, of_recorded, person
from sluicegate.detection.finding import Found
from sluicegate.detection.indicators import NAMES
from sluicegate.detection.look import Signal
from sluicegate.detection.taint import cells, outgoing
from sluicegate.detection.taint.held import Held, Received
from sluicegate.detection.taint.searching import search
from sluicegate.detection.taint.tables import Body
from sluicegate.detection.taint.zones import Zones
from sluicegate.detection.watching import Watching
from sluicegate.detection.weighing import Weighing
from sluicegate.exchange import OTHERS
from sluicegate.recording.recorded import Message, Recorded, SocketMessage

if TYPE_CHECKING:
    from sluicegate.settings import Settings


_MESSAGE = "application/json"
"""Messages of WebSockets have no type; live they are read as this."""


class Again:
    """Finds anew, under the settings that are given, what recordings add up to."""

    def __init__(self, settings: Settings, key: bytes | None = None) -> None:
        """`key` is the gateway's own key of fingerprints, where what is learned is to be the same as there."""
        self.watching = Watching(Weighing(settings))
        self._key = key or secrets.token_bytes(32)  # most often they are compared within this run alone
        self._zones = Zones(settings, self._key)
        self._days = settings.detection.taint_days * 86_400
        self._received: dict[str, list[Received]] = {}

    def findings(self, item: Recorded) -> list[Found]:
        """What one exchange led to. Nothing where its metadata is not whole."""
        signals = self._looked(item)
        message = item.messages[-1] if item.messages else None
        broke = item.text("error") and item.summary.get("delivered") is None
        unlearned = item.text("method") == "CONNECT" or broke or item.status == 101
        if item.ended is None and unlearned and not signals:
            # Live, nothing is learned of tunnels, of what broke off, and of single messages of a WebSocket.
            self._learn(item)
            return []
        event = self._ended(item) if item.ended is not None else self._event(item, message)
        if event is None:
            return []
        found = self.watching.after(event, signals, part=message is not None and item.ended is None)
        self.watching.settle()
        self._learn(item)
        return found

    def _event(self, item: Recorded, message: SocketMessage | None) -> Event | None:
        request, response = item.request.body or b"", item.response
        body = (response.body if response is not None else None) or b""
        size, delivered = len(body), item.summary.get("delivered")
        if isinstance(delivered, list | tuple) and delivered and isinstance(delivered[0], int):
            size = delivered[0]  # it passed piece by piece, and may not be on the record
        if message is not None:
            request, body = (message.content, b"") if message.from_client else (b"", message.content)
            size = len(body)
        operation = item.table("operation")
        rows: tuple[int, ...] = ()
        if response is not None and operation.get("declared") and (delivered is not None or not item.text("refusal")):
            rows = bodies.subjects(body, *_said(response), item.text("dataset"))
        try:
            return of_recorded(
                item.summary,
                status=item.status or 0,
                size=size,
                sent=len(request),
                asked=bodies.asked(request) if not operation.get("chunks") else "",
                subjects=rows,
                packed=bodies.packed(request),
                own=NAMES,
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    @staticmethod
    def _ended(item: Recorded) -> Event | None:
        """A WebSocket counts at its end, under the name of the exchange that opened it."""
        end = item.ended
        if end is None:
            return None
        whole = {**item.summary, "id": item.text("socket")}
        try:
            return of_recorded(whole, status=200, size=end.received, sent=end.sent, own=NAMES)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def _looked(self, item: Recorded) -> tuple[Signal, ...]:
        target, who = item.text("service"), _person(item)
        if not who or not target or not self._zones.looks(target) or item.ended is not None:
            return ()
        if item.messages and not item.messages[-1].from_client:
            return ()
        oldest = item.started - self._days
        mine = [one for one in reversed(self._received.get(who, [])) if one.at >= oldest]
        held = Held.of(mine, lambda service: self._zones.elsewhere(service, target), self._zones.canaries)
        if not held.begin:
            return ()
        host = item.text("host")
        sent: tuple[bytes, ...] = ()
        if item.messages:
            sent, coding = (item.messages[-1].content,), ""
        else:
            headers = [(name.encode(), value.encode("utf-8", "surrogatepass")) for name, value in item.request.headers]
            sent = outgoing.parts(item.request.body or b"", host, item.text("path"), headers, ())
            coding = _said(item.request)[0]
        found = search(sent, coding, held.begin, self._key)
        return held.judge(found, host if target == OTHERS else target, self._zones.canary_values)

    def _learn(self, item: Recorded) -> None:
        """What the person holds from now on."""
        body, coding, media = b"", "", _MESSAGE
        passed = not item.messages and item.summary.get("delivered") is not None
        if item.messages:
            body = b"" if item.messages[-1].from_client else item.messages[-1].content
        elif item.response is not None and item.status != 101:
            body, (coding, media) = item.response.body or b"", _said(item.response)
        if not body or (not passed and (item.text("refusal") or item.text("error"))):
            return
        parts = item.summary.get("parts")
        asked = [item.table("operation"), *(parts if isinstance(parts, list) else ())]
        dataset = self._zones.named(
            (str(one.get("dataset")), bool(one.get("declared"))) for one in asked if isinstance(one, dict)
        )
        if dataset is None:
            return
        # What broke off in passing is a piece: it may end anywhere.
        piece = bool(passed and (item.text("refusal") or item.text("error")))
        read = Body(body, coding, media.lower(), declared=self._zones.columns(dataset), piece=piece)
        packed = cells.read(read, masked_columns(item), dataset, self._key)
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


def masked_columns(item: Recorded) -> list[str]:
    """The columns of which the values left masked."""
    columns = item.table("exposure").get("columns")
    return [str(name) for name, word in columns.items() if word == "masked"] if isinstance(columns, dict) else []


def _person(item: Recorded) -> str:
    return person(item.text("issuer"), item.text("subject")) if item.text("subject") else ""


def _said(message: Message) -> tuple[str, str]:
    coding = [value for name, value in message.headers if name.lower() == "content-encoding"]
    media = [value for name, value in message.headers if name.lower() == "content-type"]
    return ", ".join(coding), ", ".join(media)
