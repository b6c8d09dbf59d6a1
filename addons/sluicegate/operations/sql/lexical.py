"""What a statement may be written with: characters, comments and quotes that every engine reads in the same way.

Engines disagree about comments inside comments, about executable comments, about backslashes before quotes, and about
what separates words. A statement that could be read in two ways is not read at all.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from threading import get_ident

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType
from sqlglot.tokens import Tokenizer


class Opaque(Exception):
    """A statement that is not understood; says why, without quoting it."""


_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Control, zero-width, bidirectional and tag characters: they hide text from people, and some from parsers."""

ESCAPING = frozenset({"snowflake", "bigquery", "mysql", "clickhouse", "databricks", "spark", "hive"})
"""Languages of which it is documented that a backslash before a quote belongs to the string."""
_STRINGS = frozenset({TokenType.STRING, TokenType.IDENTIFIER})
_SPACE = " \t\r\n"


def tokens_of(text: str, language: Dialect, name: str) -> list[Token]:
    """The tokens of a statement. Raises Opaque for whatever engines may disagree about."""
    if (found := _CONTROL.search(text)) is not None:
        raise Opaque(f"the statement has a character that is not printed (U+{ord(found[0]):04X})")
    try:
        tokens = _tokenizer(language, get_ident()).tokenize(text)
    except (SqlglotError, ValueError, IndexError, RecursionError):
        raise Opaque("the statement has a string or comment without an end") from None
    if "/*" in text or "*/" in text or "#" in text:
        _check_comments(text, tokens)
    if "\\" in text:
        _check_backslashes(text, tokens, name)
    if "{" in text or "&" in text:
        _check_templates(text, tokens)
    return tokens


@cache
def _plain(language: type[Dialect]) -> type[Tokenizer]:
    """The tokenizer of a language, that reads on behind words such as EXPLAIN instead of taking the rest as a text."""
    return type("Plain", (language.tokenizer_class,), {"COMMANDS": set()})


@lru_cache(maxsize=64)
def _tokenizer(language: Dialect, thread: int) -> Tokenizer:
    """One for each thread: making it costs as much as reading a short text, and it cannot read two at a time."""
    made = _plain(type(language))(dialect=language)
    for name in ("_hive_tokenizer", "_trino_tokenizer"):  # Athena's hands on to one of two others
        inner = getattr(made, name, None)
        if inner is not None:
            setattr(made, name, type("Plain", (type(inner),), {"COMMANDS": set()})(dialect=inner.dialect))
    return made


def _check_comments(text: str, tokens: list[Token]) -> None:
    at = 0
    for token in tokens:
        _check_gap(text[at : token.start])
        at = token.end + 1
    _check_gap(text[at:])


def _check_gap(gap: str) -> None:
    """What stands between two words: white space and whole comments."""
    start = gap.find("/*")
    line = _line_comment(gap)
    while start >= 0:
        if 0 <= line < start:  # a line comment begins first, so it holds what looks like the beginning of another
            end = gap.find("\n", line)
            if end < 0:
                return
            gap = gap[end + 1 :]
        else:
            if gap.startswith(("!", "M!", "m!"), start + 2):
                raise Opaque("the statement has a comment that some services execute")
            end = gap.find("*/", start + 2)
            if end < 0:
                raise Opaque("the statement has a comment without an end")
            if gap.find("/*", start + 2, end) >= 0:
                raise Opaque("the statement has a comment inside a comment")
            gap = gap[end + 2 :]
        start = gap.find("/*")
        line = _line_comment(gap)
    if "*/" in gap and line < 0:
        raise Opaque("the statement ends a comment that it did not begin")


def _line_comment(gap: str) -> int:
    return min((at for at in (gap.find("--"), gap.find("#"), gap.find("//")) if at >= 0), default=-1)


def _check_backslashes(text: str, tokens: list[Token], name: str) -> None:
    if name in ESCAPING:
        return
    before = ""
    for token in tokens:
        if token.token_type in _STRINGS:
            raw = text[token.start : token.end + 1]
            # `escape '\\'` is how a LIKE pattern names its escape character, and nothing can follow inside of it.
            if _odd(raw) and not (raw == "'\\'" and before == "ESCAPE"):
                raise Opaque("the statement has a backslash before a quote, which services read in different ways")
        before = token.text.upper() if token.token_type is not TokenType.STRING else ""


_BEFORE_QUOTE = re.compile(r"(\\+)['\"`]")


def _odd(raw: str) -> bool:
    return any(len(run[1]) % 2 for run in _BEFORE_QUOTE.finditer(raw))


def _check_templates(text: str, tokens: list[Token]) -> None:
    last: Token | None = None
    for token in tokens:
        if last is not None and last.end + 1 == token.start:
            pair = text[last.start] + text[token.start]
            if pair in ("{{", "${", "{%") or (pair == "{#" and last.text == "{"):
                raise Opaque("the statement has a template in it that nobody has filled in")
        if token.text in ("{{", "{%", "{#", "${", "}}", "%}") and token.token_type not in _STRINGS:
            raise Opaque("the statement has a template in it that nobody has filled in")
        if last is not None and last.text.lower() == "u" and text[last.end + 1 : last.end + 2] == "&":
            after = text[last.end + 2 : last.end + 3]
            if after in ("'", '"') and last.token_type not in _STRINGS:
                raise Opaque("the statement spells a name in escapes")
        last = token
