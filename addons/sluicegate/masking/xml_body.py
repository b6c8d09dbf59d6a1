"""XML 1.0, read as it comes: elements and attributes are columns by their local names. Comments and instructions go.

Expat reads it. A document type declaration is refused, so that no entity but the five of XML can be in it: without one
there is nothing that expands, and nothing outside that is asked for.
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from sluicegate.masking.json_body import Unfit
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally
from sluicegate.masking.xml_writer import XmlWriter

LONGEST = 4 << 20
"""Bytes of a tag, a comment or an instruction, and characters of a text, in what passes piece by piece."""

_STEP = 64 << 10


def mask_xml(plain: bytes, plan: Plan, tally: Tally, *, recoded: bool = False) -> bytes:
    """The masked document. Raises Unfit. `recoded`: it is in UTF-8, whatever encoding it declares."""
    whole = XmlPassing(plan, tally, whole=True)
    if recoded:
        whole.recoded()
    out = [whole.feed(plain[at : at + _STEP]) for at in range(0, len(plain), _STEP)]
    return b"".join((*out, whole.end()))


class XmlPassing:
    """One document, masked while it comes. Raises Unfit."""

    def __init__(self, plan: Plan, tally: Tally, *, whole: bool = False) -> None:
        """`whole`: all of it is here, and bounded already."""
        self._plan = plan
        self._tally = tally
        self._longest = None if whole else LONGEST
        self._encoding: str | None = None
        self._parser: Any = None
        self._writer: XmlWriter | None = None
        self._came = 0

    def recoded(self) -> None:
        """Says, before anything comes, that it comes in UTF-8, whatever encoding it declares."""
        self._encoding = "utf-8"

    def feed(self, piece: bytes) -> bytes:
        """The next bytes; what may leave."""
        writer = self._writer
        if writer is None:
            writer = self._writer = XmlWriter(self._plan, self._tally, self._longest)
            self._parser = _parser(writer, self._encoding)
        self._came += len(piece)
        self._parse(piece)
        if self._longest is not None and self._waits() > self._longest:
            self._hurry()
        return writer.take()

    def end(self) -> bytes:
        """Nothing more comes; the rest."""
        if self._writer is None:
            return b""
        self._parse(b"", final=True)
        return self._writer.take(final=True)

    def _parse(self, piece: bytes, *, final: bool = False) -> None:
        try:
            self._parser.Parse(piece, final)
        except Unfit:
            raise
        except (expat.ExpatError, LookupError, ValueError):  # the last two are of encodings that nobody knows
            raise Unfit("its body is not well-formed XML") from None

    def _waits(self) -> int:
        """Bytes of what has not come to its end."""
        return self._came - int(self._parser.CurrentByteIndex)

    def _hurry(self) -> None:
        """Expat waits for twice as much before it looks again at what had no end: now it has to, or it is too long."""
        self._parser.SetReparseDeferralEnabled(False)
        self._parse(b"")
        self._parser.SetReparseDeferralEnabled(True)
        if self._longest is not None and self._waits() > self._longest:
            raise Unfit("one of its tags is too long")


def _parser(writer: XmlWriter, encoding: str | None) -> Any:
    parser = expat.ParserCreate(encoding)
    parser.buffer_text = True
    parser.StartElementHandler = writer.start
    parser.EndElementHandler = writer.end
    parser.CharacterDataHandler = writer.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    return parser


def _refuse(*_: object) -> None:
    raise Unfit("its XML declares a document type")
