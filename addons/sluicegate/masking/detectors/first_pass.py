"""The first pass: which of many texts are worth a closer look, at hundreds of megabytes a second (Hyperscan).

All texts are joined and read once. A pattern here may match too often and never too seldom: each is a part of what the
detector's own pattern needs. Patterns have a fixed end, since every end is told.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from itertools import accumulate
from typing import Any

import hyperscan

from sluicegate.mask_method import Detector
from sluicegate.masking.detectors.national import ANY_DIGITS, DIGITS, KINDS

PARTS: dict[Detector, tuple[str, ...]] = {
    "email": (r"[^\s]@[^\s\x00]", r"[^\s]%40[^\s\x00]"),
    "phone": (r"(?:[0-9][ ./()\x80-\xff-]{0,6}){6}[0-9](?:[^0-9A-Za-z]|[xe])",),
    "card": (r"(?:[0-9](?: |-|\xc2\xa0)?){11}[0-9]",),
    "iban": (r"[A-Za-z]{2}[0-9]{2}(?: |-|\xc2\xa0)?[A-Za-z0-9]{4}(?: |-|\xc2\xa0)?[A-Za-z0-9]{3}",),
    "secret": (
        r"(?:AKIA|ASIA|ABIA|ACCA|AIza|LTAI|AKCp|PMAK|HRKU|EAAA|EAAM|EAAC|EZAK|EZTK|NRAK|NRAL|NRJS|NRII)",
        r"(?:gh[pousr]_|github_pat_|gl[a-z]{2,5}-|xox[a-z]-|xapp-|hooks\.slack|[srp]k_[a-z]{4}|whsec_|ya29\.|GOCSPX-|1//0|sk-|hf_|api_org_)",
        r"(?:npm_|pypi-|SG\.|SK[0-9a-f]{4}|AC[0-9a-f]{4}|key-[0-9a-f]{4}|-us[0-9]|shp[a-z]{2}_|do[opr]_v1|dapi[a-f0-9]{4}|:AA|AccountKey=)",
        r"(?:Q~|hv[sbr]\.|dp\.[a-z]|lin_|ntn_|ATATT|ATCTT|ATBB|gls?[ac]_|sq0|atlasv1|dckr_|pscale_|AGE-SECRET|ops_ey|sntry|rubygems_)",
        r"(?:dt0[a-z]|fm[12]|fo1_|FLW|shippo_|xkeysib|p8e-|tfp_|pul-|pn[ub]_|rdme_|[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.)",
        r"://[^\s/@:\x00]{1,80}:[^\s/@\x00]{3}",
        r"(?i)(?:passw|pwd|secret|token|api[_ -]?key|access[_ -]?key|auth[_ -]?key|credential|bearer)",
    ),
    "jwt": (r"ey[A-Za-z0-9_-]{10}",),
    "private-key": (r"PRIVATE KEY", r"PuTTY-User-Key-File"),
}
"""Of each detector but that of national numbers."""

STOP = "[^0-9A-Za-z]"
"""What stands behind a number: every text ends with one."""

_END = b"\0"

Clue = tuple[Detector, str]
"""A detector that a text may concern, and which of its kinds, where it has several."""


def _expressions(name: Detector) -> list[tuple[str, str]]:
    """Patterns with the kinds that they are parts of."""
    if name == "national-id":
        lettered = [(key, kind.form + STOP) for key, kind in KINDS.items() if key not in DIGITS]
        return [(ANY_DIGITS, r"[0-9](?:[ ./+-]?[0-9]){6,}[^0-9A-Za-z]"), *lettered]
    return [("", part) for part in PARTS[name]]


class Patterns:
    """The patterns of one detector, with the kinds that they are parts of, compiled. Any thread may use them."""

    def __init__(self, name: Detector, parts: list[tuple[str, str]]) -> None:
        self.clues: list[Clue] = [(name, kind) for kind, _ in parts]
        self._database = hyperscan.Database()
        self._database.compile(
            expressions=[part.encode("latin-1") for _, part in parts],
            ids=list(range(len(parts))),
            elements=len(parts),
            flags=[0] * len(parts),
        )
        self._local = threading.local()

    def hits(self, buffer: bytes, *, first: bool = False) -> set[tuple[int, int]]:
        """Which patterns match, and where they end; with `first` no more than one."""
        hits: set[tuple[int, int]] = set()
        add = hits.add

        def met(number: int, _start: int, end: int, _flags: int, _context: Any) -> bool:
            add((number, end))
            return first

        with suppress(hyperscan.ScanTerminated):
            self._database.scan(buffer, match_event_handler=met, scratch=self._scratch())
        return hits

    def _scratch(self) -> Any:
        # A scratch belongs to one scan at a time, so every thread has its own.
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        return scratch


@cache
def _patterns(name: Detector) -> Patterns:
    return Patterns(name, _expressions(name))


def warm() -> None:
    """Compile the patterns of all detectors, which takes half a second, before anybody waits for them."""
    for name in (*PARTS, "national-id"):
        _patterns(name)


class FirstPass:
    """The patterns of some detectors. Any thread may use it."""

    def __init__(self, detectors: Iterable[Detector]) -> None:
        self._patterns = [_patterns(name) for name in sorted(detectors)]

    def suspects(self, texts: Sequence[str]) -> dict[int, set[Clue]]:
        """The places of texts that may hold something, and what."""
        if not texts:
            return {}
        pieces = [text.encode("utf-8", "surrogatepass") for text in texts]
        buffer = _END.join(pieces) + _END
        found: dict[int, set[Clue]] = {}
        ends: list[int] = []
        for patterns in self._patterns:
            clues = patterns.clues
            for number, end in patterns.hits(buffer):
                ends = ends or list(accumulate(len(piece) + 1 for piece in pieces))
                found.setdefault(bisect_right(ends, end - 2), set()).add(clues[number])
        return found

    def any(self, data: bytes) -> bool:
        """Whether there may be anything in a text at all."""
        return any(patterns.hits(data + _END, first=True) for patterns in self._patterns)
