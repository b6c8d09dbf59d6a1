"""Forms (`application/x-www-form-urlencoded`, WHATWG URL section 5), pair by pair: names are columns."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sluicegate.masking.form_names import check_separators, mask_pairs
from sluicegate.masking.form_neighbours import Pair, Pairs
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

LONGEST = 4 << 20
"""Bytes of a pair, in what passes piece by piece."""

_STEP = 64 << 10
_OTHERS = re.compile(rb"[;\r\n]")


def mask_form(plain: bytes, plan: Plan, tally: Tally) -> bytes:
    """The masked form; a member that is taken out or empty leaves as an empty one. Raises Unfit."""
    whole = FormPassing(plan, tally, whole=True)
    out = [whole.feed(plain[at : at + _STEP]) for at in range(0, len(plain), _STEP)]
    return b"".join((*out, whole.end()))


class FormPassing:
    """One form, masked while it comes. Raises Unfit."""

    def __init__(self, plan: Plan, tally: Tally, *, whole: bool = False) -> None:
        """`whole`: all of it is here, and bounded already."""
        self._plan = plan
        self._tally = tally
        self._longest = None if whole else LONGEST
        self._rest = bytearray()
        self._came = 0
        self._left = False
        self._pairs = Pairs(plan.content, tally.counts) if plan.content is not None else None

    def feed(self, piece: bytes) -> bytes:
        """The next bytes; what may leave."""
        before = len(self._rest)
        self._rest += piece
        end = self._rest.rfind(b"&", before)
        if self._longest is not None and len(self._rest) - end > self._longest:
            raise Unfit("one of its pairs is too long")
        if end < 0:
            return b""
        block = bytes(self._rest[:end])
        del self._rest[: end + 1]
        return self._masked(block, final=False)

    def end(self) -> bytes:
        """Nothing more comes; the rest."""
        if not self._came and not self._rest:
            return b""
        return self._masked(bytes(self._rest), final=True)

    def _masked(self, block: bytes, *, final: bool) -> bytes:
        try:
            pairs = parse_qsl(block.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
        except ValueError:
            pairs = []
        if not pairs:
            raise Unfit("its body is not readable as a form")
        written = block.split(b"&")
        for pair in written if _OTHERS.search(block) is not None else ():
            check_separators(pair.decode(), self._plan)
        masked = mask_pairs(pairs, self._plan, self._tally)
        self._tally.rows = min(self._tally.rows, 1)
        found = []
        for (name, _), member, raw in zip(pairs, masked, written, strict=True):
            start, self._came = self._came, self._came + len(raw) + 1
            found.append(Pair(name, member, start, self._came))
        if self._pairs is not None:
            found = self._pairs.take(found, final=final)
        if not found:
            return b""
        out = urlencode([_pair(pair.member, pair.name) for pair in found]).encode()
        out, self._left = b"&" + out if self._left else out, True
        return out


def _pair(member: Any, name: str) -> tuple[str, str]:
    if not isinstance(member, dict) or not member:
        return name, ""
    ((key, value),) = member.items()
    return key, "" if value is None else str(value)
