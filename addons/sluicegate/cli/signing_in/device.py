"""Signing in on another device: a code that one types there (RFC 8628)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sluicegate.cli.safe_text import safe
from sluicegate.cli.signing_in.browser import refused
from sluicegate.cli.signing_in.provider import Terms, client, discover, endpoint
from sluicegate.errors import Fault

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
MOST_SECONDS = 1800.0
"""Longest time that is waited, whatever the provider says."""


def sign_in(
    terms: Terms, tell: Callable[[str], None], *, pause: Callable[[float], object] = time.sleep
) -> dict[str, Any]:
    """The provider's tokens. Raises Fault."""
    if not terms.device:
        raise Fault(
            "Signing in on another device is not allowed here.",
            hint="Run `sluicegate login` where a browser is. An operator allows it with [identity].device_sign_in.",
        )
    metadata = discover(terms)
    tokens = endpoint(metadata, "token_endpoint", terms)
    with client(terms) as oauth:
        begun = _begin(oauth, endpoint(metadata, "device_authorization_endpoint", terms), terms)
        tell(_words(begun))
        return _poll(oauth, tokens, begun, pause)


def _begin(oauth: Any, address: str, terms: Terms) -> dict[str, Any]:
    asked = {"client_id": terms.client_id, "scope": " ".join(terms.scopes)}
    try:
        answer = oauth.request("POST", address, data=asked, withhold_token=True)
        begun = answer.json()
    except Exception as error:
        raise Fault(f"The identity provider cannot be asked: {safe(error)[:200] or type(error).__name__}.") from None
    if not isinstance(begun, dict):
        raise Fault("The identity provider did not answer with a device code.")
    if "error" in begun:
        raise refused(begun["error"], begun.get("error_description"))
    if not all(isinstance(begun.get(name), str) for name in ("device_code", "user_code", "verification_uri")):
        raise Fault("The identity provider did not answer with a device code.")
    return begun


def _words(begun: dict[str, Any]) -> str:
    complete = begun.get("verification_uri_complete")
    lines = [
        "On any device with a browser, go to",
        "",
        f"  {safe(begun['verification_uri'])}",
        "",
        f"and type the code  {safe(begun['user_code'])}",
    ]
    if isinstance(complete, str):
        lines += ["", f"or go to  {safe(complete)}"]
    return "\n".join([*lines, "", "Nobody else will ever send you such a code for a good reason."])


def _poll(oauth: Any, address: str, begun: dict[str, Any], pause: Callable[[float], object]) -> dict[str, Any]:
    from authlib.integrations.base_client import OAuthError

    interval = _number(begun.get("interval"), 5.0)
    left = min(_number(begun.get("expires_in"), 600.0), MOST_SECONDS)
    while left > 0:
        pause(interval)
        left -= interval
        try:
            found = oauth.fetch_token(address, grant_type=GRANT, device_code=begun["device_code"])
        except OAuthError as error:
            if error.error == "slow_down":
                interval += 5.0  # section 3.5
            elif error.error != "authorization_pending":
                raise refused(error.error, error.description) from None
        except Exception:
            interval *= 2  # section 3.5: what cannot be reached is asked less often
        else:
            if not isinstance(found.get("id_token"), str):
                raise Fault("The identity provider gave no ID token.", hint="Is `openid` among [identity].scopes?")
            return dict(found)
    raise Fault("The code ran out before anybody signed in with it.", hint="Try again.", exit_code=1)


def _number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else otherwise
