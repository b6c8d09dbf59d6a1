"""What is a secret in an exchange, and the same exchange without it.

Nothing here is ever applied to live traffic; it works on what is about to be written. Where a value could be a secret
or could hide one (an address inside a parameter, a form that cannot be read), it is taken for one: a recording that
lacks a value is a nuisance, a recording that holds a password is an incident.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from urllib.parse import unquote_plus

import re2

from sluicegate import codings, statement_secrets
from sluicegate.recording import json_secrets

REMOVED = "[removed]"
"""What stands in place of a secret."""

Fields = Iterable[tuple[bytes, bytes]]

_FRAGMENTS = re.compile(
    r"authoriz|cookie|token|secret|passw|credential|signature|api[-_]?key|access[-_]?key|private[-_]?key|assertion"
    r"|session[-_]?id|jwt|-key$|_key$"
)
_HEADERS = frozenset({"authentication", "dpop", "x-auth", "x-amz-content-sha256-key", "proxy-authentication-info"})
_QUERY = frozenset(
    {"key", "code", "sig", "pwd", "pass", "auth", "sid", "ticket", "nonce", "sas", "otp", "pin", "code_verifier"}
)
_HARMLESS = frozenset(
    {
        *("idempotency-key", "x-idempotency-key", "surrogate-key", "cache-key", "x-cache-key", "sec-websocket-key"),
        *("page_token", "pagetoken", "nextpagetoken", "next_page_token", "continuation-token", "continuation_token"),
        *("x-amz-signedheaders", "primary_key", "partition_key", "sort_key", "foreign_key"),
    }
)
_SCHEMES = (b"bearer ", b"basic ", b"digest ", b"negotiate ", b"ntlm ", b"dpop ", b"snowflake ", b"aws4-hmac-")
"""How a credential begins in a header that is not known to carry one (RFC 9110 section 11)."""
# From the beginning of a run of letters, and without giving any back, so that hostile text takes one pass.
_DOTTED = re.compile(r"(?<![\w-])([\w-]++)\.[\w-]{4,}")
MAX_FIELDS = 256
MAX_VALUE = 8 << 10
MAX_TARGET = 32 << 10
MAX_FORM = 1 << 20
"""What is longer is not searched for secrets but cut or taken out: a client chooses how long things are."""
MAX_DECODED = 64 << 20
"""What a body may decode to; the gateway's own limit on bodies is lower in all but odd policies."""
_REMEMBERED, _REMEMBERED_LENGTH = 512, 1024
_NESTED = re.compile(r"[?&#;]([^=&?#;/\s]{1,200})=")
_USER = re.compile(r"(?<=//)[^/?#\s\\]*@")
_IN_JSON = re2.compile(b"(?:%s)|(?:%s)" % (json_secrets.MAYBE, statement_secrets.MAYBE))
"""What a JSON body has in it where any secret may stand: most have nothing, and are read once."""
_STEPS = re.compile(r"([?&#;])")
_FORM_PARTS = 10_000


@lru_cache(4096)
def secret_header(name: str) -> bool:
    """Whether a header of this lower-case name carries a secret in any exchange."""
    return name not in _HARMLESS and (name in _HEADERS or _FRAGMENTS.search(name) is not None)


@lru_cache(4096)
def _secret_parameter(name: str) -> bool:
    plain = unquote_plus(name).strip().lower()
    return plain not in _HARMLESS and (plain in _QUERY or _FRAGMENTS.search(plain) is not None)


def _is_token(run: str) -> bool:
    """Whether the part before a dot holds what a JSON Web Token begins with, and enough behind it."""
    return len(run) - run.find("eyJ") >= 11 if "eyJ" in run else False


def _has_token(text: str) -> bool:
    return any(_is_token(match[1]) for match in _DOTTED.finditer(text))


def _without_tokens(text: str) -> str:
    return _DOTTED.sub(lambda match: REMOVED if _is_token(match[1]) else match[0], text)


class Redactor:
    """Takes secrets out of copies of headers, targets and bodies. `parameters` are further secret query parameters."""

    def __init__(self, parameters: Collection[str] = ()) -> None:
        self._parameters = frozenset(name.lower() for name in parameters)
        self._harmless: dict[str, None] = {}
        """Targets that held no secret when they were last looked at; each is looked at three times in an exchange."""

    def headers(self, fields: Fields, secret: Collection[str] = ()) -> tuple[tuple[bytes, bytes], ...]:
        """The header pairs in order; `secret` are further lower-case names that carry secrets in this exchange."""
        every = tuple(fields)
        kept = tuple((name[:MAX_VALUE], self._value(name, value, secret)) for name, value in every[:MAX_FIELDS])
        return kept if len(every) <= MAX_FIELDS else (*kept, (b"x-sluicegate-cut", b"%d headers" % len(every)))

    def target(self, target: str) -> str:
        """A request target or URL without secret parameters (query, fragment, path parameters) and user info."""
        if len(target) > MAX_TARGET:
            return f"{REMOVED} ({len(target)} characters)"
        if target in self._harmless:
            return target
        cleaned = _without_tokens(target) if "eyJ" in target else target
        if "=" in cleaned or "@" in cleaned:
            cleaned = "".join(self._parts(cleaned))
        if cleaned == target and len(target) <= _REMEMBERED_LENGTH:
            if len(self._harmless) >= _REMEMBERED:
                self._harmless.clear()
            self._harmless[target] = None
        return cleaned

    def _parts(self, target: str) -> list[str]:
        out: list[str] = []
        removing = False
        for part in _STEPS.split(_USER.sub(f"{REMOVED}@", target)):
            if part in ("?", "&", "#", ";"):
                # A secret may hold `;` and `?`; only what cannot be in it ends it.
                removing = removing and part in "?;"
                if not removing:
                    out.append(part)
            elif not removing:
                kept, removing = self._pair(part)
                out.append(kept)
        return out

    def authority(self, authority: str) -> str:
        """`host:port` without user info."""
        _, at, host = authority.rpartition("@")
        return f"{REMOVED}@{host}" if at else authority

    def body(self, fields: Fields, body: bytes) -> bytes:
        """A body of either direction: forms and JSON lose their secrets, other bodies stay as they are; a form that
        cannot be read is taken out as a whole."""
        if not body:
            return body
        kind = coding = b""
        for name, value in fields:
            if len(name) == 12 and name.lower() == b"content-type":
                kind += value.strip().lower()
            elif len(name) == 16 and name.lower() == b"content-encoding":
                coding += b"," + value
        applied = coding.decode("latin-1").lower().strip(", \t") if coding else ""
        if b"application/x-www-form-urlencoded" in kind:
            body = self._form(body, coded=applied not in ("", "identity"))
            if kind.startswith(b"application/x-www-form-urlencoded") and b"json" not in kind:
                return body
        return self._json(body, applied, declared=b"json" in kind)

    def _form(self, body: bytes, *, coded: bool) -> bytes:
        if coded or len(body) > MAX_FORM or sum(body.count(sign) for sign in (b"&", b";", b"?", b"#")) > _FORM_PARTS:
            return REMOVED.encode()
        text = "?" + body.decode("latin-1")
        return "".join(self._parts(text))[1:].encode("latin-1")

    def _text(self, body: bytes, applied: str) -> bytes:
        """A body that is neither, without the secrets of a statement."""
        if applied not in ("", "identity"):
            try:
                plain = codings.decode(body, applied, MAX_DECODED)
            except codings.CodingError:
                return body
            cleaned = statement_secrets.without_secrets(plain)
            return body if cleaned is plain else codings.encode(cleaned, applied)
        return statement_secrets.without_secrets(body)

    def _json(self, body: bytes, applied: str, *, declared: bool) -> bytes:
        try:
            plain = codings.decode(body, applied, MAX_DECODED)
        except codings.CodingError:
            # Nobody can look into it. Where it says that it is JSON it may hold a login, and elsewhere it is no text.
            return REMOVED.encode() if declared else body
        start = plain[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        if b"\0" in plain[:4] and declared:
            return REMOVED.encode()  # JSON in UTF-16 or UTF-32, which nothing here reads
        if not declared and start not in (b"{", b"["):
            return self._text(body, applied) if b"\0" not in plain[:1024] else body
        if _IN_JSON.search(plain) is None:
            return body
        cleaned = statement_secrets.without_secrets(json_secrets.without_secrets(plain, self.target), json=True)
        return body if cleaned is plain else codings.encode(cleaned, applied)

    def error(self, message: str) -> str:
        """A message about a broken exchange. It may quote the line that broke, so nothing quoted is kept."""
        return re.sub(r"b?(['\"]).*\1", REMOVED, message, flags=re.DOTALL)[:500]

    def _pair(self, part: str) -> tuple[str, bool]:
        name, equals, value = part.partition("=")
        if not equals:
            return part, False
        last = name.rpartition("/")[2]
        if self._secret(last):
            return f"{name}={REMOVED}", True
        if "'" in value or "%27" in value:
            plain = unquote_plus(value).encode("utf-8", "surrogatepass")
            if statement_secrets.without_secrets(plain) is not plain:
                return f"{name}={REMOVED}", True
        return (f"{name}={REMOVED}" if self._hides(value) else part), False

    def _secret(self, name: str) -> bool:
        return _secret_parameter(name) or unquote_plus(name).strip().lower() in self._parameters

    def _hides(self, value: str) -> bool:
        """Whether a value is itself an address with a secret in it, or a credential by its looks."""
        if "%" not in value and "@" not in value and "eyJ" not in value:
            return False
        plain = value
        for _ in range(3):
            before, plain = plain, unquote_plus(plain)
            if plain == before:
                break
        return (
            any(self._secret(found) for found in _NESTED.findall(plain))
            or _USER.search(plain) is not None
            or _has_token(plain)
        )

    def _value(self, name: bytes, value: bytes, secret: Collection[str]) -> bytes:
        lower = _lower(name)
        if lower in secret or secret_header(lower) or value[:64].lstrip().lower().startswith(_SCHEMES):
            return REMOVED.encode()
        if len(value) > MAX_VALUE or (b"eyJ" in value and _has_token(value.decode("latin-1"))):
            return REMOVED.encode()
        if b"=" not in value and b"@" not in value:
            return value
        text = value.decode("latin-1")
        if lower in ("host", ":authority"):
            text = self.authority(text)
        elif lower == "link":
            text = re.sub(r"<([^>]*)>?", lambda m: f"<{self.target(m[1])}>", text)
        else:
            text = self.target(text)
        return text.encode("latin-1")


@lru_cache(4096)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").strip().lower()
