"""AWS Signature Version 4, made anew with the gateway's key (AWS IAM User Guide, "Signature Version 4").

The client signs with any key; region and service are taken from what it signed for. What it signed is thrown away, so
nothing of the request rests on its key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from sluicegate.credentials.values import ValueTrouble

Field = tuple[bytes, bytes]

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
_STREAMED_UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_SCOPE = re.compile(
    r"AWS4-[A-Z0-9-]{1,40} +Credential=[^/\s,]{1,128}/\d{8}/([a-z0-9-]{1,40})/([a-z0-9-]{1,40})/aws4_request *,",
    re.ASCII,
)
_KEY = re.compile(r"[A-Za-z0-9+/=_-]{8,2048}", re.ASCII)
_OURS = frozenset({b"authorization", b"x-amz-date", b"x-amz-security-token", b"x-amz-content-sha256", b"date"})
_SIGNED_TOO = frozenset({"host", "content-type", "content-md5"})


class NotSignable(Exception):
    """The request cannot be signed anew; the text, a sentence without its end, says why and is for the person."""


@dataclass(frozen=True, slots=True)
class Key:
    """An AWS access key. The id is no secret."""

    id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> Key:
        """From `ID:SECRET[:TOKEN]`, or the JSON that a `credential_process` prints. Raises ValueTrouble."""
        if text.startswith("{"):
            try:
                found = json.loads(text)
                words = [found["AccessKeyId"], found["SecretAccessKey"], found.get("SessionToken") or ""]
            except (ValueError, KeyError, TypeError):
                raise ValueTrouble("is not the JSON of a credential_process") from None
        else:
            words = text.split(":", 2)
            words += [""] * (3 - len(words))
        if not all(isinstance(word, str) for word in words) or not all(_KEY.fullmatch(w) for w in words[:2]):
            raise ValueTrouble("is not an AWS key", "write KEY-ID:SECRET-KEY")
        if words[2] and _KEY.fullmatch(words[2]) is None:
            raise ValueTrouble("has a session token that is none")
        return cls(*words)


class Sent(NamedTuple):
    """A request as it goes out. `target` is path and query as sent; `host` is used where no header says it."""

    method: str
    target: str
    fields: Sequence[Field]
    body: bytes = b""
    host: str = ""


def signed(key: Key, sent: Sent, now: float, *, lower: bool = False) -> tuple[Field, ...]:
    """The fields with the signature of `key` in the place of the client's.

    Raises NotSignable for a request that is not signed, is signed in its address, or is signed piece by piece.
    """
    headers = _joined(sent.fields)
    scope = _SCOPE.match(headers.get("authorization", ""))
    path, _, query = sent.target.partition("?")
    if "x-amz-signature" in query.lower():
        raise NotSignable("its address is signed already, and whoever signed it decides what it may do")
    if scope is None:
        raise NotSignable("it carries no AWS signature that says for which region and service it is")
    region, service = scope[1], scope[2]
    payload = _payload(headers.get("x-amz-content-sha256", ""), sent.body)
    moment = datetime.fromtimestamp(now, UTC)
    stamp, day = f"{moment:%Y%m%dT%H%M%SZ}", f"{moment:%Y%m%d}"
    ours = {"x-amz-date": stamp}
    if key.token:
        ours["x-amz-security-token"] = key.token
    if service == "s3" or "x-amz-content-sha256" in headers:
        ours["x-amz-content-sha256"] = payload
    kept = [pair for pair in sent.fields if pair[0].lower() not in _OURS]
    covered = {name: value for name, value in _joined(kept).items() if name.startswith("x-amz-") or name in _SIGNED_TOO}
    covered.update(ours)
    covered.setdefault("host", sent.host)
    names = ";".join(sorted(covered))
    canonical = "\n".join(
        (
            sent.method,
            _path(path, service),
            _query(query),
            *(f"{name}:{covered[name]}" for name in sorted(covered)),
            "",
            names,
            payload,
        )
    )
    where = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join((ALGORITHM, stamp, where, hashlib.sha256(canonical.encode("latin-1")).hexdigest()))
    signature = hmac.new(_signing_key(key.secret, day, region, service), text.encode(), hashlib.sha256).hexdigest()
    ours["Authorization"] = f"{ALGORITHM} Credential={key.id}/{where}, SignedHeaders={names}, Signature={signature}"
    added = [((name.lower() if lower else name).encode(), value.encode()) for name, value in ours.items()]
    return (*kept, *added)


def _payload(claimed: str, body: bytes) -> str:
    if claimed in (UNSIGNED, _STREAMED_UNSIGNED):
        return claimed
    if claimed.startswith("STREAMING-"):
        raise NotSignable("its body is signed piece by piece with a key that is not the gateway's")
    return hashlib.sha256(body).hexdigest()


def _joined(fields: Iterable[Field]) -> dict[str, str]:
    """Values by lower-case name, trimmed and with single spaces, as the canonical form has them."""
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name.decode("latin-1").lower(), []).append(" ".join(value.decode("latin-1").split()))
    return {name: ",".join(values) for name, values in found.items()}


def _path(path: str, service: str) -> str:
    if service == "s3":
        return quote(unquote_to_bytes(path), safe="/-_.~") or "/"
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == ".." and segments:
            segments.pop()
        elif segment not in ("", ".", ".."):
            segments.append(segment)
    end = "/" if path.endswith("/") and segments else ""
    return quote("/" + "/".join(segments) + end, safe="/-_.~")


def _query(query: str) -> str:
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    written = [tuple(quote(unquote_to_bytes(text), safe="-_.~") for text in pair) for pair in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(written))


def _signing_key(secret: str, *scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for word in (*scope, "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return key
