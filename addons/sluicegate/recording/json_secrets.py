"""Secrets in JSON bodies: passwords of logins, tokens and keys that services hand out, signed links.

A member counts as secret by its name. Its value is cut out of the text, and every other byte stays as it was, so a
recording is what was sent but for that. Works on text that is no whole document as well: what is cut off is cut out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache

import re2

REMOVED = b'"[removed]"'
MAX_NAME = 400
MAX_FOUND = 2000
"""A text with more secrets than these (a column of them, say) is not kept at all either."""
MAX_TEXT = 8 << 20
"""A longer text in which a secret may stand is not kept at all."""

WORDS = ("password", "passwd", "passphrase", "passcode", "secret", "credential", "privatekey", "samlresponse")
"""A name with one of these anywhere in it is secret: `new_password`, `clientSecret`, `AWS_SECRET_KEY`."""
ENDINGS = (
    *(
        "token",
        "apikey",
        "accesskey",
        "masterkey",
        "signingkey",
        "proofkey",
        "encryptionkey",
        "storagekey",
        "secretkey",
    ),
    *("assertion", "authorization", "cookie", "signature", "jwt", "pwd", "presignedurl", "presignedurls", "sas"),
)
"""A name that ends in one of these is secret: `masterToken`, `AWS_TOKEN`, `api-key`."""
WHOLE = frozenset({"pass", "pin", "otp", "qrmk", "auth", "sessionid", "sid", "smkey", "totp"})
"""Names that are secret only by themselves."""
HARMLESS = frozenset(
    {
        *("pagetoken", "nextpagetoken", "prevpagetoken", "nexttoken", "continuationtoken", "nextcontinuationtoken"),
        *(
            "synctoken",
            "paginationtoken",
            "startingtoken",
            "clienttoken",
            "clientrequesttoken",
            "tracetoken",
            "eostoken",
        ),
        *("bostoken", "padtoken", "unktoken", "septoken", "clstoken", "masktoken", "idempotencytoken", "scrolltoken"),
    }
)
"""Tokens that open nothing."""

# re2 reads each byte once, however hostile the text. A quote that is not escaped and has a colon behind it ends a name.
MAYBE = (
    rb"(?i)(?:(?:pass|secret|credential|private|saml|\\u00)[^\\\x22]{0,200}"
    rb"|(?:token|key|assertion|authorization|cookie|signature|jwt|pwd|presigned_?urls?|sas|pin|otp|qrmk|auth|sid"
    rb"|session_?id))\x22\s*:"
    rb"|(?:signature|token|sig|credential)(?:=|\\u003d)|eyJ[\w-]{8}"
)
"""What matches wherever a secret may stand."""
_MAYBE = re2.compile(MAYBE)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_NESTING = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,{}\[\]\"]*+")
_TOKEN = re.compile(r"eyJ[\w-]{8}[\w.-]*+")
_SPACE = (b" ", b"\t", b"\r", b"\n")
_EMPTY = frozenset({b"", b"true", b"false", b"null", b'""'})


def without_secrets(text: bytes, clean: Callable[[str], str]) -> bytes:
    """The JSON text without secrets; the same object where there are none. `clean` takes them out of a URL.

    Where the text is too long for that, nothing of it is left.
    """
    out: list[bytes] = []
    done = 0
    for found in _MAYBE.finditer(text):
        if found.start() < done:
            continue
        if len(text) > MAX_TEXT or len(out) > 2 * MAX_FOUND:
            return REMOVED
        if found[0].endswith(b":"):
            start, end = _value(text, found.start(), found.end())
            kept = REMOVED
        else:
            start, end, kept = _cleaned(text, max(done, text.rfind(b'"', done, found.start())), clean)
        if end > start:
            out += text[done:start], kept
            done = end
    return b"".join((*out, text[done:])) if out else text


def _value(text: bytes, name: int, colon: int) -> tuple[int, int]:
    """Where the value behind a colon stands, if the name before it is secret; else an empty place."""
    quote = text.rfind(b'"', name, colon)
    opening = text.rfind(b'"', max(0, name - MAX_NAME), quote)
    if opening >= 0 and not _secret(text[opening : quote + 1]):
        return colon, colon
    at = colon
    while text[at : at + 1] in _SPACE:
        at += 1
    end = _end(text, at)
    return (colon, colon) if text[at:end] in _EMPTY else (at, end)


@lru_cache(4096)
def secret_name(name: str) -> bool:
    """Whether a member of this name carries a secret."""
    plain = "".join(filter(str.isalnum, name.casefold()))
    if plain in HARMLESS:
        return False
    return plain in WHOLE or plain.endswith(ENDINGS) or any(word in plain for word in WORDS)


def _secret(literal: bytes) -> bool:
    name = _text(literal)
    return name is None or secret_name(name[:200])


def _text(literal: bytes) -> str | None:
    """The text of a JSON string; None when it is none."""
    try:
        found = json.loads(literal, strict=False)
    except ValueError:
        return None
    return found if isinstance(found, str) else None


def _cleaned(text: bytes, start: int, clean: Callable[[str], str]) -> tuple[int, int, bytes]:
    """The string that begins at `start`: its place, and what is left of it. An empty place where it may stay."""
    found = _STRING.match(text, start)
    if found is None:
        return start, len(text), REMOVED  # cut off, or no string at all
    plain = _text(found[0])
    if plain is None:
        return start, found.end(), REMOVED
    cleaned = clean(_TOKEN.sub("[removed]", plain))
    return (start, start, b"") if cleaned == plain else (start, found.end(), json.dumps(cleaned).encode())


def _end(text: bytes, at: int) -> int:
    """Where the value that begins at `at` ends."""
    first = text[at : at + 1]
    if first == b'"':
        found = _STRING.match(text, at)
        return found.end() if found else len(text)
    if first not in (b"{", b"["):
        found = _SCALAR.match(text, at)
        return found.end() if found else len(text)
    depth = 0
    for mark in _NESTING.finditer(text, at):
        depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(mark[0], 0)
        if depth == 0:
            return mark.end()
    return len(text)
