"""A response that is masked while it passes: record by record, in memory that is bounded by the longest record.

A record (a line, an event) is masked when it is whole; nothing of it leaves before. What joins records (arrays of
arrays whose columns another record names, values that two records share) is never passed piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable

from sluicegate.coding_streams import Packer, Unpacker, unpacker
from sluicegate.codings import CodingError
from sluicegate.errors import Refusal
from sluicegate.exchange import Exposure, Watch
from sluicegate.masking.body import declared
from sluicegate.masking.charset import UTF8
from sluicegate.masking.event_stream import mask_events
from sluicegate.masking.formats import line_kind, media_of
from sluicegate.masking.headers import Pairs, rewrite
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.lines import mask_apart
from sluicegate.masking.methods import Forbidden
from sluicegate.masking.refusal import unmaskable, withheld
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

LONGEST = 4 << 20
"""Bytes that one record may have."""

_MARKS = (b"\xef", b"\xff", b"\xfe", b"\0", b"\x1e")
"""How texts begin that have a byte order mark, or separators before their records."""
_BLANK = (b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n")


def open_stream(
    pairs: Pairs, status: int, plan: Plan | None, accepts: tuple[str, ...], watch: Watch | None
) -> Passing | None:
    """How a response of these fields is masked in passing. None where all of it is needed first.

    `plan` is None where nothing is owed. `watch` looks at what is about to leave. Raises Unfit for fields that may not
    leave.
    """
    said = declared(pairs)
    reader = unpacker(said.coding)
    if reader is None or status < 200 or status in (204, 304):
        return None
    media = media_of(said.media)
    kind = line_kind(media.kind)
    if plan is None:
        if said.coding in ("", "identity"):
            return Passing(pairs, None, reader, Packer(""), watch, kind)
        coding = "gzip" if said.coding == "x-gzip" else said.coding
        return Passing(_unsized(pairs), None, reader, Packer(coding), watch, kind)
    if kind is None or status != 200 or said.part or media.twice or media.charset not in UTF8:
        return None
    if plan.content is not None or plan.reported is not None:
        return None  # neighbouring records are looked at together
    coding = said.coding if said.coding in accepts else ""
    fields = rewrite(pairs, None, coding, plan.columns)
    return Passing(fields, plan, reader, Packer(coding), watch, kind)


class Passing:
    """One response on its way. Every method raises Refusal, and after that nothing more may leave."""

    def __init__(
        self, fields: Pairs, plan: Plan | None, reader: Unpacker, packer: Packer, watch: Watch | None, kind: str | None
    ) -> None:
        self.fields = fields
        self._plan = plan
        self._tally = Tally()
        self._reader = reader
        self._packer = packer
        self._watch = watch
        self._kind = kind
        self.light = reader.light
        """Whether a piece is short work: a coded one may be a bomb."""
        self._rest = bytearray()
        self._seen = 0
        self._failed = False

    @property
    def exposure(self) -> Exposure:
        """What has left so far."""
        return self._tally.exposure()

    def feed(self, data: bytes) -> list[bytes]:
        """The next bytes of the service; what may leave now."""
        return self._guarded(lambda: [out for piece in self._reader.feed(data) for out in self._take(piece)])

    def end(self) -> list[bytes]:
        """The service has sent all; what is left to leave."""
        return self._guarded(self._last)

    def _last(self) -> list[bytes]:
        self._reader.end()
        last = bytes(self._rest)
        self._rest.clear()
        out = self._out(last) if last else b""
        return [piece for piece in (out, self._packer.end()) if piece]

    def _guarded(self, work: Callable[[], list[bytes]]) -> list[bytes]:
        if self._failed:
            raise RuntimeError("the response has failed before")
        self._failed = True
        masks = self._plan.masks if self._plan is not None else ()
        try:
            out = work()
        except Forbidden as error:
            raise withheld(error.mask) from None
        except (Unfit, CodingError) as error:
            raise (unmaskable(masks, str(error)) if masks else _unreadable(str(error))) from None
        except RecursionError:
            raise unmaskable(masks, "its JSON is nested too deeply") from None
        self._failed = False
        return out

    def _take(self, piece: bytes) -> list[bytes]:
        if not self._seen and piece[:1] in _MARKS and self._plan is not None:
            raise Unfit("it begins with a mark, and passes piece by piece")
        self._seen += len(piece)
        before = len(self._rest)
        self._rest += piece
        end = self._cut(before)
        if len(self._rest) - end > LONGEST:
            raise Unfit("one of its records is too long")
        if not end:
            return []
        block = bytes(self._rest[:end])
        del self._rest[:end]
        out = self._out(block)
        return [out] if out else []

    def _cut(self, before: int) -> int:
        """Where the last whole record ends."""
        rest = self._rest
        if self._plan is not None and self._kind == "events":
            start = max(0, before - 3)
            return max(at + len(blank) if (at := rest.rfind(blank, start)) >= 0 else 0 for blank in _BLANK)
        if self._plan is None and self._watch is None:
            return len(rest)
        line = rest.rfind(b"\n", before) + 1
        if self._plan is None and self._watch is not None:
            # What is watched for has no line feed in it; else as much stays behind as its beginning may have.
            return max(line, len(rest) - self._watch.back)
        return line

    def _out(self, block: bytes) -> bytes:
        if self._plan is None:
            if self._kind is not None:
                self._tally.rows += block.count(b"\n\n" if self._kind == "events" else b"\n")
            masked = block
        elif self._kind == "events":
            masked = mask_events(block, self._plan, self._tally)
        else:
            masked = mask_apart(block, self._plan, self._tally)
        if self._watch is not None:
            self._watch.look(masked + bytes(self._rest[: self._watch.back]) if self._plan is None else masked)
        return self._packer.pack(masked) if masked else b""


def _unsized(pairs: Pairs) -> Pairs:
    """The fields of a body that is coded anew: the same, without its length and what was summed over its bytes."""
    gone = (b"content-length", b"content-digest", b"content-md5", b"digest", b"etag")
    return tuple(pair for pair in pairs if pair[0].lower() not in gone)


def _unreadable(why: str) -> Refusal:
    return Refusal(
        502,
        "response-unreadable",
        "Answer not readable",
        f"The rest was not let through, because nobody can see what is in it: {why}.",
        next_step="Ask for another content coding, or tell the people who run the service.",
    )
