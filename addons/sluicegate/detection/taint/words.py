"""Values and texts in one form, whatever case, width, spaces or punctuation they are written with."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from sluicegate.confusables import LOOK_ALIKES

SHORTEST = 8
"""Letters that a value must have; a letter of a script that writes words in one or two counts twice."""
LONGEST = 64
MOST_WORDS = 9
"""Words of a value, as many as an account number has groups. Longer ones are cut to so many."""
GAP = 3
"""Letters that may stand between two words of a value."""
_WORD = re.compile(r"(?:[^\W_]|@)+")
_WIDE = 0x2E80
_UNSEEN = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\u0300-\u036f]")
"""What is not seen between letters, or stands on one that nobody writes so: NFKC has put together what belongs so."""


def words(text: str) -> list[str]:
    """The words of a value: runs of letters, digits and `@`, in NFKC, without case, in letters that they look like."""
    if text.isascii():
        return _WORD.findall(text.lower())[:MOST_WORDS]
    return [plain(word) for word in _WORD.findall(fold(text))[:MOST_WORDS]]


def fold(text: str) -> str:
    """NFKC, without case and without what is not seen."""
    if text.isascii():
        return text.lower()
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text)).casefold()


def plain(word: str) -> str:
    """A word in the letters and digits of ASCII that its own look like, or stand for, as far as there are any.

    Of each word by itself, since most have nothing else in them, and so that signs which look like letters part words.
    """
    return word if word.isascii() else word.translate(_ascii())


@cache
def _ascii() -> Mapping[int, str]:
    found = {code: letter for code, letter in LOOK_ALIKES.items() if chr(code).isalnum()}
    # Digits of other scripts; behind these, Unicode has none.
    found |= {code: str(digit) for code in range(0x660, 0x20000) if (digit := unicodedata.decimal(chr(code), -1)) >= 0}
    return found


def long_enough(text: str) -> bool:
    """Whether a value in its form is long enough to be no accident."""
    if len(text) >= SHORTEST:
        return len(text) <= LONGEST
    if text.isascii():
        return False
    return len(text) + sum(ord(letter) >= _WIDE for letter in text) >= SHORTEST


def strong(text: str) -> bool:
    """Whether a value identifies somebody by itself: numbers of nine digits and more, and addresses with an `@`."""
    return (len(text) >= 12 and "@" in text) or (len(text) >= 9 and sum(map(str.isdigit, text)) >= 9)


def first_word(parts: Sequence[str]) -> str:
    """How a value begins where it is written in several words. A number that is kept as one may be sent in groups: of
    four, as accounts and cards are written, or of three where it has nine digits."""
    if len(parts) > 1 or not strong(parts[0]) or "@" in parts[0]:
        return parts[0]
    return parts[0][: 3 if len(parts[0]) == 9 else 4]


def begins(text: str) -> int:
    """A short number for a first word, so that most of what is sent need not be looked up."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def candidates(text: str, firsts: frozenset[int]) -> Iterator[str]:
    """The runs of words in a text that could be values, by their first words."""
    found = [(match.group(), match.start(), match.end()) for match in _WORD.finditer(fold(text))]
    known: dict[str, bool] = {}
    for index, (word, _, end) in enumerate(found):
        begin = known.get(word)
        if begin is None:
            begin = known[word] = begins(plain(word)) in firsts
        if not begin:
            continue
        run, last = plain(word), end
        if long_enough(run):
            yield run
        for word_after, start, stop in found[index + 1 : index + MOST_WORDS]:
            if start - last > GAP:
                break
            run, last = run + plain(word_after), stop
            if len(run) > LONGEST:
                break
            if long_enough(run):
                yield run
