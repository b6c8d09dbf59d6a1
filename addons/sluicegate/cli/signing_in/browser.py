"""Signing in with a browser on this machine: authorization code with PKCE (RFC 7636, RFC 8252, RFC 9207)."""

from __future__ import annotations

import os
import secrets
import sys
import webbrowser
from collections.abc import Callable
from typing import Any

from sluicegate.cli.safe_text import safe
from sluicegate.cli.signing_in.callback import Callback
from sluicegate.cli.signing_in.provider import Terms, client, discover, endpoint
from sluicegate.errors import Fault

WAIT_SECONDS = 300.0
"""How long the person has for signing in at the provider."""


def is_here() -> bool:
    """Whether a browser that is opened would be seen by whoever typed the command."""
    if os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"):
        return False
    if sys.platform.startswith("linux") and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    ):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def sign_in(
    terms: Terms,
    tell: Callable[[str], None],
    *,
    fresh: bool = False,
) -> dict[str, Any]:
    """The provider's tokens, with the `nonce` that the ID token must have. Raises Fault.

    `fresh` asks for a new proof of who somebody is (OpenID Connect Core section 3.1.2.1).
    """
    metadata = discover(terms)
    address = endpoint(metadata, "authorization_endpoint", terms)
    methods = metadata.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" not in methods:
        raise Fault(f"The identity provider {terms.issuer} does not support PKCE with S256.", code="sign-in-pkce")
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    with Callback(state) as callback, client(terms, callback.address) as oauth:
        more = {"prompt": "login", "max_age": "0"} if fresh else {}
        url, _ = oauth.create_authorization_url(address, state=state, nonce=nonce, code_verifier=verifier, **more)
        tell(f"Sign in with your browser. If none opens, go to:\n\n  {url}\n")
        webbrowser.open(url)
        answer = callback.wait(WAIT_SECONDS)
        if answer is None:
            raise Fault("Nobody signed in within five minutes.", hint="Try again, or with --device.", exit_code=1)
        _check(answer, metadata, terms)
        tokens = fetch(oauth, endpoint(metadata, "token_endpoint", terms), code=answer["code"], code_verifier=verifier)
    return {**tokens, "nonce": nonce}


def fetch(oauth: Any, address: str, **request: Any) -> dict[str, Any]:
    """Tokens from the token endpoint. Raises Fault."""
    from authlib.integrations.base_client import OAuthError

    try:
        found = oauth.fetch_token(address, grant_type="authorization_code", **request)
    except OAuthError as error:
        raise refused(error.error, error.description) from None
    except Exception as error:
        raise Fault(f"The identity provider gave no tokens: {safe(error)[:200] or type(error).__name__}.") from None
    if not isinstance(found.get("id_token"), str):
        raise Fault("The identity provider gave no ID token.", hint="Is `openid` among [identity].scopes?")
    return dict(found)


def refused(error: object, description: object) -> Fault:
    """The provider said no."""
    more = f" ({safe(description)[:200]})" if description else ""
    return Fault(f"The identity provider refused: {safe(error)[:80]}{more}.", exit_code=1, code="sign-in-refused")


def _another(how: str) -> Fault:
    return Fault(f"The answer {how}, so it is not taken.", exit_code=1, code="sign-in-issuer")


def _check(answer: dict[str, str], metadata: dict[str, Any], terms: Terms) -> None:
    # First whose answer it is (RFC 9207): an error of another provider says nothing either.
    issuer = answer.get("iss")
    if issuer is None and metadata.get("authorization_response_iss_parameter_supported") is True:
        raise _another("does not say which identity provider it is from")
    if issuer is not None and issuer != terms.issuer:
        raise _another("is from another identity provider")
    if "error" in answer:
        raise refused(answer["error"], answer.get("error_description"))
    if not answer.get("code"):
        raise Fault("The answer of the identity provider has no code.", exit_code=1, code="sign-in-refused")
