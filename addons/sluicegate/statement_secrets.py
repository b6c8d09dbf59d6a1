"""Secrets in statements: keys, passwords and signed addresses, as COPY, CREATE STAGE and table functions take them.

Works on the text alone, also where it stands inside JSON: values are found by the name or function before them. What
is cut off, or very long, counts as going on to the end.
"""

from __future__ import annotations

import re

import re2

REMOVED = b"'[removed]'"
MAX_VALUE = 64 << 10
"""A longer value, or list of arguments, is taken to reach to the end of the text."""

MAX_FOUND = 5000
"""Places that are looked at; where there are more, nothing behind them is kept."""

_QUOTE = rb"(?:'|\\u0027)"
_NAME = (
    rb"(?:secret|passw(?:or)?d|passphrase|pwd|token|credentials?|(?:access|private|master|api|account|encryption)_?key"
    rb"|key_?id)\w{0,40}|identified\s{1,20}(?:with\s{1,20}\w{1,40}\s{1,20})?by"
)
# re2 reads each byte once, however hostile the text.
_NAMED = re2.compile(
    rb"(?i)(?:(?:%s)\s{0,20}(?:=>|=|\s)\s{0,20}[({]?\s{0,20}|(?:^|[^\w'\x22\\])(?:password|credentials?))(?:'|\\u0027|\\?\x22)"
    % _NAME
)
_INSIDE = re2.compile(
    rb"(?i)((?:secret|passw(?:or)?d|pwd|token|(?:access|account|api)_?key(?:_id)?|sharedaccesssignature|signature|sig"
    rb"|x-(?:amz|goog)-credential)=)[^;&'\x22\s\\<>)]+"
)
"""Within one text: connection strings, and the queries of signed addresses."""
_FUNCTIONS = re2.compile(
    rb"(?i)\b(s3(?:cluster|queue)?|gcs|oss|cosn|azureblobstorage(?:cluster)?|azurequeue|iceberg\w{0,20}"
    rb"|deltalake\w{0,20}|hudi|mysql|postgresql|remote(?:secure)?|mongodb)\s{0,20}\("
)
"""Functions and engines that take secrets by position."""
_KEPT = {b"mysql": 4, b"postgresql": 4, b"remote": 4, b"remotesecure": 4, b"mongodb": 4}
"""How many texts of a function come before its password; of the others, the address alone."""


MAYBE = b"|".join(b"(?:%s)" % one.pattern for one in (_NAMED, _INSIDE, _FUNCTIONS))
"""What matches wherever one of them does, in one pass. Most texts hold nothing of it."""
_MAYBE = re2.compile(MAYBE)


class _Forms:
    """What values look like, in a statement or in JSON that holds statements."""

    def __init__(self, *, json: bool) -> None:
        # A backslash keeps a quote from ending a text, and is written twice in JSON, where a bare `"` ends everything.
        letter, end = (rb"[^\\\x22]", rb"|(?=\x22)") if json else (rb"[^\\]", b"")
        text = rb"(?:%s(?:(?!%s)(?:\\\\'|\\.|%s))*+(?:%s|\Z%s))+" % (_QUOTE, _QUOTE, letter, _QUOTE, end)
        double = rb'\\"(?:(?!\\")[^\x22])*+(?:\\"|\Z|(?=\x22))' if json else rb'\\?"[^"]*+(?:"|\Z)'
        self.value = re.compile(rb"%s|%s" % (text, double), re.DOTALL)
        self.text = re.compile(text, re.DOTALL)
        other = rb"[^()'\\\x22]" if json else rb"[^()'\\]"
        self.arguments = re.compile(rb"(?:%s|%s|\\(?!u0027))*+" % (text, other), re.DOTALL)


_PLAIN, _IN_JSON = _Forms(json=False), _Forms(json=True)


def without_secrets(text: bytes, *, json: bool = False) -> bytes:
    """The text without the secrets in it; the same object where there are none. `json`: it is JSON with statements."""
    if _MAYBE.search(text) is None:
        return text
    forms = _IN_JSON if json else _PLAIN
    found = _named(text, forms)
    found = _by_position(found, forms)
    cleaned: bytes = _INSIDE.sub(rb"\1[removed]", found)
    return text if cleaned == text else cleaned


def shown(statement: str) -> str:
    """The same for a statement that people are shown."""
    return without_secrets(statement.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _named(text: bytes, forms: _Forms) -> bytes:
    out: list[bytes] = []
    done = 0
    for count, found in enumerate(_NAMED.finditer(text)):
        if count >= MAX_FOUND:
            return b"".join((*out, text[done : max(done, found.start())], REMOVED))
        start = found.end() - (6 if found[0].endswith(b"u0027") else 2 if found[0].endswith(b'\\"') else 1)
        if start < done:
            continue
        value = forms.value.match(text, start, start + MAX_VALUE)
        if value is None:
            continue  # a quote that ends a text of JSON
        end = value.end() if value.end() < start + MAX_VALUE else len(text)
        out += text[done:start], REMOVED
        done = end
    return b"".join((*out, text[done:])) if out else text


def _by_position(text: bytes, forms: _Forms) -> bytes:
    out: list[bytes] = []
    done = 0
    for count, found in enumerate(_FUNCTIONS.finditer(text)):
        start = found.end()
        if count >= MAX_FOUND:
            return b"".join((*out, text[done : max(done, start)], REMOVED))
        if start < done:
            continue
        arguments = forms.arguments.match(text, start, start + MAX_VALUE)
        if arguments is None or (b"'" not in arguments[0] and b"\\u0027" not in arguments[0]):
            continue
        left = _KEPT.get(found[1].lower(), 1)
        places = [match.span() for match in forms.text.finditer(text, start, arguments.end())][left:]
        for begin, end in places:
            out += text[done:begin], REMOVED
            done = end if end < start + MAX_VALUE else len(text)
    return b"".join((*out, text[done:])) if out else text
