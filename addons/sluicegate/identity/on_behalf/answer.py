"""What the provider's token endpoint answers to an exchange (RFC 8693 section 2.2), and what of it is believed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sluicegate.errors import Refusal
from sluicegate.exchange import Target
from sluicegate.identity.claims import MAX_LIFETIME
from sluicegate.identity.compact import MAX_TOKEN, split, strict_object
from sluicegate.identity.on_behalf.request import TYPES

UNSAID_SECONDS = 60.0
"""How long a token is used for whose end nobody says."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)  # b64token of RFC 6750 section 2.1
_ERROR = re.compile(r"[A-Za-z0-9_.-]{1,60}", re.ASCII)
_LONG = re.compile(r"\S{25,}")
"""What may be a part of a token in somebody's prose."""


class NotGranted(Exception):
    """No token came that may be used. `error` is the provider's own word (`invalid_target`), or empty where it is not
    the provider that refuses but its answer that cannot be used. The text holds no secret."""

    def __init__(self, error: str, said: str) -> None:
        super().__init__(said)
        self.error = error


@dataclass(frozen=True, slots=True)
class Granted:
    """A token for a service. `until` is event time."""

    token: str = field(repr=False)
    until: float


def read(status: int, body: bytes, target: Target, now: float, secrets: Iterable[str]) -> Granted:
    """The token in an answer. Raises NotGranted. `secrets` is what was sent, which must not come back as the token."""
    try:
        document = strict_object(body)
    except ValueError:
        raise NotGranted("", f"answered {status} with something else than a JSON object") from None
    if status != 200 or "error" in document:
        raise _refused(status, document, secrets)
    issued, kind = document.get("issued_token_type"), document.get("token_type")
    if issued != TYPES + target.requested:
        raise NotGranted("", f"gave another kind of token than {TYPES}{target.requested}, or does not say which")
    # `N_A` is for what is no access token (section 2.2.1); a service takes a JWT as bearer all the same.
    kinds = ("bearer", "n_a") if target.requested == "jwt" else ("bearer",)
    if not isinstance(kind, str) or kind.lower() not in kinds:
        raise NotGranted("", "gave a token that is not a bearer token (`token_type`)")
    token = document.get("access_token")
    if not isinstance(token, str) or len(token) > MAX_TOKEN or _TOKEN.fullmatch(token) is None:
        raise NotGranted("", "gave no token that can be sent in a header")
    if token in secrets:
        raise NotGranted("", "gave back what it was sent")
    lasts = _lasts(document, token, now)
    if lasts <= 0:
        raise NotGranted("", "gave a token that is over already")
    return Granted(token, now + min(lasts, MAX_LIFETIME))


def _lasts(document: dict[str, Any], token: str, now: float) -> float:
    """Seconds that the token is good for; the shorter one where answer and token say different things."""
    found = []
    said = document.get("expires_in")
    if said is not None:
        if type(said) not in (int, float) or not said < 1 << 53:
            raise NotGranted("", "does not say in seconds how long the token is good for (`expires_in`)")
        found.append(float(said))
    try:
        ends = split(token).claims.get("exp")
    except Refusal:
        ends = None
    if type(ends) is int:
        found.append(ends - now)
    return min(found, default=UNSAID_SECONDS)


def _refused(status: int, document: dict[str, Any], secrets: Iterable[str]) -> NotGranted:
    error, more = document.get("error"), document.get("error_description")
    if not isinstance(error, str) or _ERROR.fullmatch(error) is None or any(secret in error for secret in secrets):
        return NotGranted("", f"answered {status} without saying why")
    said = f"answered {status} {error}"
    if isinstance(more, str) and not any(secret in more for secret in secrets):
        plain = "".join(character if character.isprintable() else " " for character in more[:300])
        said += f": {_LONG.sub('...', plain).strip()}"
    return NotGranted(error, said)
