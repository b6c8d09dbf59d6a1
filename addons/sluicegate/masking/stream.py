"""A response that is masked while it passes: record by record, in memory that is bounded by the longest record.

A record (a line, an event, a row) is masked when it is whole; nothing of it leaves before. What joins records (arrays
of arrays whose columns another record names) is never passed piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module

from sluicegate import codings
from sluicegate.coding_streams import Packer, Unpacker, unpacker
from sluicegate.codings import CodingError
from sluicegate.errors import Refusal
from sluicegate.exchange import Exposure, Finding, Rows, Watch
from sluicegate.masking.body import Declared, declared, mask_plain
from sluicegate.masking.charset import UTF8, Recoded, is_read
from sluicegate.masking.form_body import FormPassing
from sluicegate.masking.formats import Media, mask_content, media_of, passing_kind
from sluicegate.masking.headers import Pairs, recoded, rewrite
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.json_passing import JsonPassing
from sluicegate.masking.methods import Forbidden
from sluicegate.masking.msgpack_passing import MsgpackPassing
from sluicegate.masking.multipart_passing import MultipartPassing
from sluicegate.masking.plain_text import TextPassing
from sluicegate.masking.records import FIRST, Lines, Opened, Records
from sluicegate.masking.refusal import unmaskable, withheld
from sluicegate.masking.reports import Looking
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally
from sluicegate.masking.xml_body import XmlPassing

_SLOW = ("xml", "form", "multipart")
"""Formats of which the loop does not wait for a piece: they are read ten times as slowly, or may hold anything."""

_BYTES = frozenset(("arrow", "msgpack", "multipart"))
"""Formats that are no texts, and so are in no character set."""
_UNPACKED = 16 << 20
"""Bytes that what is in one part may have once decompressed."""


def load_tables() -> None:
    """Load what reads tables: a third of a second, and 40 MB, that a gateway does without until the first one comes."""
    import_module("sluicegate.masking.arrow_passing")
    import_module("sluicegate.masking.csv_passing")
    pyarrow = import_module("pyarrow")
    # Its own allocator keeps what each thread once had; the one of the system is shared with everything else.
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())


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
    kind = passing_kind(media.kind)
    looking = None
    if plan is not None and plan.reported is not None:
        tally = Tally()
        records = _readable(kind, media, said, status, plan.reported, tally)
        if records is None and not _is_sized(pairs):
            return None  # what is no larger than what is kept whole can be looked at
        looking = Looking(plan.reported, records, tally)
    if plan is None or not plan.owes:
        light = plan is None or plan.reported is None or (plan.reported.content is None and kind not in _SLOW)
        if said.coding in ("", "identity"):
            return Passing(pairs, None, reader, Packer(""), watch, kind, looking=looking, light=light)
        coding = "gzip" if said.coding == "x-gzip" else said.coding
        fields = _unsized(pairs)
        if coding not in codings.NAMES:
            coding, fields = "", tuple(pair for pair in fields if pair[0].lower() != b"content-encoding")
        return Passing(fields, None, reader, Packer(coding), watch, kind, looking=looking, light=light)
    tally = Tally()
    records = _readable(kind, media, said, status, plan, tally)
    if records is None:
        return None
    coding = said.coding if said.coding in accepts else ""
    fields = rewrite(pairs, None, coding, plan.columns, content=plan.content)
    if media.charset not in UTF8:
        fields = recoded(fields)
    light = plan.content is None and (plan.reported is None or plan.reported.content is None)
    light = light and kind not in _SLOW
    return Passing(fields, plan, reader, Packer(coding), watch, kind, records, tally, looking=looking, light=light)


def _is_sized(pairs: Pairs) -> bool:
    return any(name.lower() == b"content-length" for name, _ in pairs)


def _readable(kind: str | None, media: Media, said: Declared, status: int, plan: Plan, tally: Tally) -> Records | None:
    """Who masks such a response, in any character set that we read. None where all of it is needed first."""
    if status != 200 or said.part or media.twice or not is_read(media.charset):
        return None
    plain = said
    if kind != "multipart":  # its boundary stays
        plain = said._replace(media=f"{media.kind}; header={media.header}" if media.header else media.kind)
    records = _records(kind, media, plain, plan, tally)
    if records is None or kind in _BYTES:
        return records
    told = records.recoded if isinstance(records, XmlPassing) else None
    return Recoded(records, media.charset, keeps_mark=kind in ("csv", "tsv"), told=told)


def _records(kind: str | None, media: Media, said: Declared, plan: Plan, tally: Tally) -> Records | None:
    """Who masks a body of this format, in UTF-8. None where all of it is needed first."""
    whole = partial(_whole, said=said, plan=plan)
    content, named = plan.content, bool(plan.columns or plan.paths)
    match kind:
        case "lines" | "events" | "sequence":
            return Lines(plan, tally, kind)
        case "json" if plan.root is None:
            return Opened(whole, lambda: JsonPassing(plan, tally), tally)
        case "msgpack" if plan.root is None:
            return Opened(whole, lambda: MsgpackPassing(plan, tally), tally, marks=False)
        case "csv" | "tsv" if named:
            from sluicegate.masking.csv_passing import CsvPassing

            rows, tabs = Rows(header_row=media.header == "present"), kind == "tsv"
            return Opened(whole, lambda: CsvPassing(plan, tally, rows, tabs=tabs), tally)
        case "csv" | "tsv" | "text" if not named and content is not None and not content.empties("private-key"):
            return Opened(whole, lambda: TextPassing(content, tally, piece=kind == "text"), tally)
        case "multipart":
            return MultipartPassing(said.media, plan, tally, partial(_part, plan=plan, tally=tally))
        case "xml":
            return XmlPassing(plan, tally)
        case "form":
            return FormPassing(plan, tally)
        case "arrow":
            from sluicegate.masking.arrow_passing import ArrowPassing

            return Opened(whole, lambda: ArrowPassing(plan, tally), tally, marks=False)
    return None


def _whole(plain: bytes, said: Declared, plan: Plan) -> tuple[bytes, Exposure]:
    return mask_plain(plain, said, plan, None, FIRST, 200)


def _part(plain: bytes, media: str, plan: Plan, tally: Tally) -> bytes:
    masked, exposure = mask_content(plain, media, plan, None, _UNPACKED, 200, depth=1)
    tally.include(exposure)
    return masked


class Passing:
    """One response on its way. Every method raises Refusal, and after that nothing more may leave."""

    def __init__(
        self,
        fields: Pairs,
        plan: Plan | None,
        reader: Unpacker,
        packer: Packer,
        watch: Watch | None,
        kind: str | None,
        records: Records | None = None,
        tally: Tally | None = None,
        *,
        looking: Looking | None = None,
        light: bool = True,
    ) -> None:
        """`records` masks what owes masks; without, everything leaves as it came. `looking` is shown what came.
        `light`: whether both are short work; detectors take their time.
        """
        self.fields = fields
        self._plan = plan
        self._tally = Tally() if tally is None else tally
        self._reader = reader
        self._packer = packer
        self._content = None if plan is None else plan.content
        self._watch = watch
        self._kind = kind
        self._records = records
        self._looking = looking
        self.light = reader.light and light
        """Whether a piece is short work: a coded one may be a bomb."""
        self.samples: list[Callable[[bytes], None]] = []
        self.full: Callable[[], bool] = lambda: False
        self._rest = b""
        """What has been made ready and waits: it may be the beginning of what is watched for."""
        self._before = b""
        self._failed = False

    @property
    def exposure(self) -> Exposure:
        """What has left so far."""
        return self._tally.exposure(self._content)

    def findings(self) -> list[Finding]:
        """What masks that only report have met so far; each is given once."""
        return [] if self._looking is None else self._looking.take()

    def feed(self, data: bytes) -> list[bytes]:
        """The next bytes of the service; what may leave now."""
        return self._guarded(lambda: [out for piece in self._reader.feed(data) if (out := self._out(self._new(piece)))])

    def end(self) -> list[bytes]:
        """The service has sent all; what is left to leave."""
        return self._guarded(self._last)

    def _last(self) -> list[bytes]:
        self._reader.end()
        if self._looking is not None:
            self._looking.end()
        last = self._out(self._records.end() if self._records is not None else b"", final=True)
        return [piece for piece in (last, self._packer.end()) if piece]

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

    def _new(self, piece: bytes) -> bytes:
        """What a piece adds to what may leave."""
        if self._looking is not None:
            self._looking.feed(piece)
        if self._records is not None:
            return self._records.feed(piece)
        if self._kind == "lines":
            self._tally.rows += piece.count(b"\n")
        elif self._kind == "events":
            self._tally.rows += (self._before + piece).count(b"\n\n")
            self._before = piece[-1:]
        return piece

    def _out(self, new: bytes, *, final: bool = False) -> bytes:
        """Looks at what is about to leave. What is watched for has no line feed in it; else as much stays behind as
        its beginning may have.
        """
        if self._watch is None:
            ready = new
        else:
            here = self._rest + new
            end = len(here) if final else max(here.rfind(b"\n") + 1, len(here) - self._watch.back)
            if new or final:
                self._watch.look(here)
            ready, self._rest = here[:end], here[end:]
        if ready:
            for sample in self.samples:
                sample(ready)
        return self._packer.pack(ready) if ready else b""


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
