"""What the provider's token endpoint is asked (RFC 8693 section 2.1), as the gateway's own client."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_plus, urlencode

from sluicegate.exchange import Target
from sluicegate.settings.environment import filled
from sluicegate.settings.model.identity import TokenExchange

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPES = "urn:ietf:params:oauth:token-type:"
MAX_SECRET = 16_384
"""Longest secret, and longest token, that is read from a file, in characters."""


class NoSecret(Exception):
    """The gateway cannot say who it is. The text continues a sentence, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One request to the token endpoint. `secrets` is what must not be in a log."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def made(
    settings: TokenExchange, environ: Mapping[str, str], target: Target, subject: str, subject_type: str
) -> Asking:
    """The request that exchanges `subject`, a token of the kind `subject_type`. Reads files. Raises NoSecret."""
    secret = client_secret(settings, environ)
    form = {
        "grant_type": GRANT,
        "subject_token": subject,
        "subject_token_type": TYPES + subject_type,
        "requested_token_type": TYPES + target.requested,
    }
    form |= {name: value for name in ("audience", "resource", "scope") if (value := getattr(target, name))}
    secrets = [subject, secret]
    if settings.actor_token_file is not None:
        actor = _read(settings.actor_token_file)
        form |= {"actor_token": actor, "actor_token_type": settings.actor_token_type}
        secrets.append(actor)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if settings.client_auth == "post":
        form |= {"client_id": settings.client_id, "client_secret": secret}
    else:
        # Both are form-encoded before they are joined (RFC 6749 section 2.3.1), so a colon can be in either.
        pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return Asking(headers, urlencode(form).encode("ascii"), tuple(secrets))


def client_secret(settings: TokenExchange, environ: Mapping[str, str]) -> str:
    """The secret of the gateway's client. Raises NoSecret."""
    if settings.client_secret_file is not None:
        return _read(settings.client_secret_file)
    try:
        return filled(settings.client_secret or "", environ)
    except ValueError as error:
        raise NoSecret(str(error)) from None


def trouble(settings: TokenExchange, key: str, environ: Mapping[str, str]) -> str | None:
    """Why what stands under a key cannot be used; None where it can, or is not set. Holds no secret."""
    try:
        if key == "client_secret" and settings.client_secret is not None:
            client_secret(settings, environ)
        elif key.endswith("_file") and getattr(settings, key) is not None:
            _read(getattr(settings, key))
    except NoSecret as found:
        return str(found)
    return None


def _read(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            text = file.read(MAX_SECRET + 1).decode("ascii").strip()
    except OSError as error:
        raise NoSecret(f"the file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        text = ""
    if not text or len(text) > MAX_SECRET or not text.isprintable():
        raise NoSecret(f"the file {path} does not hold one line of plain ASCII")
    return text
