"""A look at a whole JSON document as it is written: is there anything in it that a detector could find (Hyperscan)?

It is for documents that we wrote ourselves: no blanks between signs, and escapes only where a sign cannot be without.
Whatever a detector finds in a text, a pattern here meets in the text of the document. It may also meet what is nothing,
and then those texts are looked at by themselves. Numbers with a fraction would do that most; they are told from texts
by the key before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from sluicegate.mask_method import Detector
from sluicegate.masking.detectors.first_pass import PARTS, STOP, Patterns
from sluicegate.masking.detectors.national import KINDS
from sluicegate.masking.detectors.numbers import SIGNS, whole

# What stands before the first digit of a number that is in a text. The number behind a key, `"key":` or `"key":-`, is
# none: the quote of that key would have a backslash before it, if it were in a text itself.
_INSIDE = r'(?:[^"]|\\"):'
_BEFORE = rf"(?:[^0-9.:-]|{_INSIDE}-?|[^:]-)"
_NUMBER = rf"(?:{_BEFORE}|[^0-9]\.|(?:\.|{_BEFORE})[0-9]+\.)"

_DIGITS = _NUMBER + (
    r"(?:[0-9](?:[ ./()+\x80-\xff-]{0,6}[0-9]){6,}(?:[^0-9A-Za-z]|[xe])"
    r"|[0-9]*(?:[0-9]{7}-?[A-Za-z]{1,2}|[0-9]{3}\.?[0-9]{3}-?[Kk])[^0-9A-Za-z])"
)
"""Seven digits with what may be between them, or a letter or two behind: for all detectors of numbers."""
_NUMBERS = frozenset(("phone", "card", "national-id"))
_LETTERED = (
    r"[0-9](?: ?[0-9]){5}[AB](?: ?[0-9]){8}" + STOP,  # FR, of Corsica
    *(kind.form + STOP for key, kind in KINDS.items() if key in ("FI", "MX", "IT", "GB*", "IN*")),
)
"""National numbers that may have fewer digits on end."""

_ESCAPE = r"\\u[0-9a-f]{4}|\\."
_WORDS = next(part for part in PARTS["secret"] if part.startswith("(?i)"))

_WRITTEN: dict[Detector, tuple[str, ...]] = {
    "email": (r'(?:[^\s"]|\\")@[^\s"]', r'(?:[^\s"]|\\")%40[^\s"]'),
    "phone": (),
    "card": (),
    "national-id": _LETTERED,
    "secret": (
        *(part for part in PARTS["secret"] if not part.startswith(("://", "(?i)"))),
        rf'://(?:[^\s/@:"\\]|{_ESCAPE}){{1,80}}:(?:[^\s/@"\\]|{_ESCAPE}){{3}}',
        _WORDS + r'(?:[^"\\]|\\.)*"[^:]',  # in a value: keys are looked at by themselves, and many are called `token`
    ),
}
"""Where it differs from the first pass."""

_FRACTION = r"-?[0-9]{9,}\.0*"
_EXPONENT = r"-?[0-9]+(?:\.[0-9]*)?[eE][+-]?[0-9]{1,6}"

# Texts that are encoded, as `hidden` knows them; not keys.
_RUN = r'[A-Za-z0-9+/_-]{16}(?:"[^:]|[^A-Za-z0-9+/_"-])'
_CODED = (
    _RUN,
    r"[0-9A-Z-](?: |\\[tr])?\\n[0-9A-Z]",
    rf'"(?: |\\[tnrf])*\+?(?:{_FRACTION}|{_EXPONENT})(?: |\\[tnrf])*"[^:]',
    r'"(?:\\[tnrf])*[A-Za-z0-9+/_-]{12,}(?:[A-Za-z0-9+/_-]|\\[tnrf])*={0,2}(?:\\[tnrf])*"[^:]',
    r"%[0-9A-Fa-f]{2}",
    r"&#",
    r'"(?: |\\[tnrf])*(?:0[xX])?(?:[0-9A-Fa-f]{2}[ :]?){7}[0-9A-Fa-f]{2}',
    r'(?i)"data:[^"\\]{0,120};base64,',
)
_WHOLE = (rf"[:,\[](?:-?[0-9]{{9,}}|{_FRACTION}|{_EXPONENT})[,}}\]]",)
_BETWEEN = (b":", b",", b"}", b"]")
_LONG = 128
_SIGNS = SIGNS.encode()


class Suspect(NamedTuple):
    """A text, or a whole number, that has to be looked at by itself, and the key before it."""

    text: str
    key: str


class _Kinds(NamedTuple):
    """All patterns as one, and what each of them is for."""

    patterns: Patterns
    kinds: tuple[str, ...]


@cache
def _all() -> _Kinds:
    # One scan for all takes half the time of one for each; what is not wanted is left out behind it.
    every: list[tuple[str, tuple[str, ...]]] = [
        *(pair for pair in PARTS.items() if pair[0] not in _WRITTEN),
        *_WRITTEN.items(),
        *(("digits", (_DIGITS,)), ("coded", _CODED), ("number", _WHOLE)),
    ]
    listed = [(kind, part) for kind, expressions in every for part in expressions]
    return _Kinds(Patterns("secret", listed), tuple(kind for kind, _ in listed))


def warm() -> None:
    """Compile all patterns before anybody waits for them."""
    _all()


class Written:
    """The patterns of some detectors. Any thread may use them."""

    def __init__(self, detectors: Iterable[Detector]) -> None:
        names: set[str] = set(detectors)
        if names & _NUMBERS:
            names.add("digits")
        self._patterns, kinds = _all()
        self._wanted = frozenset(number for number, kind in enumerate(kinds) if kind in names)
        self._coded = frozenset(number for number, kind in enumerate(kinds) if kind == "coded")
        self._number = kinds.index("number")
        self._run = kinds.index("coded")  # the first of them

    def any(self, text: bytes) -> bool:
        """Whether there may be anything in the texts of a document, beside what is encoded."""
        return any(number in self._wanted for number, _ in self._patterns.hits(text))

    def suspects(self, text: bytes) -> Iterator[Suspect | None]:
        """What has to be looked at by itself in a document, beside its keys; some of it twice. None where that may be
        anything.
        """
        hits = self._patterns.hits(text)
        texts = self._wanted | self._coded
        ends = {end for number, end in hits if number in texts and not (number == self._run and _numeric(text, end))}
        done = 0
        for end in sorted(ends):
            if end - 2 <= done:
                continue  # in a text that was met
            start, done = text.rfind(b'"', 0, end - 2), text.find(b'"', end - 2)
            inner = text[start + 1 : done]
            # Are those quotes the two around a text? A sign stands behind it, and in it a quote has a backslash.
            if start < 1 or done < 0 or b"\\" in text[start - 1 : done] or inner[:1] in _BETWEEN:
                yield None
                return
            if text[done + 1 : done + 2] == b":":
                continue  # a key
            yield _member(text, start - 1, inner)
        for end in {end for number, end in hits if number == self._number}:
            start = text.rfind(b":", 0, end - 1)
            inner = text[start + 1 : end - 1]
            if inner.translate(None, b"0123456789.eE+-"):
                yield None
            elif digits := whole(inner.decode()):
                yield _member(text, start, digits.encode())


def _numeric(text: bytes, end: int) -> bool:
    """Whether what looked like an encoded text up to here is a number, as `hidden` has it."""
    end -= 2 if text[end - 2 : end - 1] == b'"' else 1
    before = text[max(0, end - _LONG) : end].rstrip(_SIGNS)[-1:]
    return before != b"" and not before.isalnum() and before not in b"/_"


def _member(text: bytes, colon: int, value: bytes) -> Suspect | None:
    """The value behind a colon, with its key."""
    quote = text.rfind(b'"', 0, max(0, colon - 1))
    key = text[quote + 1 : colon - 1]
    if colon < 2 or quote < 1 or text[colon - 1 : colon + 1] != b'":' or b"\\" in text[quote - 1 : colon]:
        return None
    return Suspect(value.decode(), key.decode())
