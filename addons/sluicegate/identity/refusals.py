"""How a person is told that the gateway does not know who they are.

407 only where no credential came at all: clients, git among them, answer it by sending theirs. Everything else is 511
(RFC 6585 section 6), which no client takes for the service's own 401 or 407.
"""

from __future__ import annotations

from sluicegate.errors import Refusal

REALM = 'Basic realm="sluicegate"'


def missing(issuer: str, *, challenge: bool, page: str = "") -> Refusal:
    """No credential. `challenge`: 407, which is only understood outside of a tunnel; else 511.

    `page`: where one can sign in for the address of one's machine; empty where nobody can.
    """
    detail = "This request carries no credential, so the gateway cannot know who asks."
    if challenge:
        return Refusal(
            407,
            "sign-in-required",
            # Most clients show nothing of a refused CONNECT but this.
            "Sign in first: run 'sluicegate login'",
            detail,
            next_step="Run `sluicegate login`, and then your command by `sluicegate run -- COMMAND`. A program sends "
            f"its own token of {issuer} as the proxy password.",
            headers={"proxy-authenticate": REALM},
        )
    if page:
        return Refusal(
            511,
            "sign-in-required",
            f"Sign in first: open {page}",
            detail,
            next_step=f"Open {page} in a browser on this machine and sign in for its address; or send a token of "
            f"{issuer} or a handle (`sluicegate login`) in the place of the service's key.",
            members={"sign_in_url": page},
        )
    return Refusal(
        511,
        "sign-in-required",
        "Sign in first: run 'sluicegate login'",
        detail,
        next_step="Run `sluicegate login` and give your client the handle in the place of the service's key. A program "
        f"sends its own token of {issuer}, as `Authorization: Bearer THE-TOKEN`.",
    )


def rejected(code: str, detail: str) -> Refusal:
    """A credential came and is not accepted. `detail` never quotes it: it goes into answers, logs and the record."""
    return Refusal(
        511,
        code,
        f"Sign in again: {code.replace('-', ' ')}",
        detail,
        next_step="Run `sluicegate login`. A program gets a new token from your identity provider instead.",
    )


def unreachable() -> Refusal:
    """The token may be good, but the keys that would prove it cannot be fetched now."""
    return Refusal(
        503,
        "identity-unavailable",
        "Identity provider not reachable",
        "The token is signed with a key that the gateway does not hold, and the identity provider's keys "
        "cannot be fetched at the moment.",
        next_step="Try again in half a minute; if it stays, tell the gateway's operator.",
        headers={"retry-after": "30"},
    )


def duplicate(header: str) -> Refusal:
    """The same credential header twice: which of them counts is anybody's guess, so neither does."""
    return Refusal(
        400,
        "credential-ambiguous",
        "Ambiguous credential",
        f"The request carries the header {header} more than once.",
        next_step="Send exactly one credential.",
    )


def several() -> Refusal:
    """Different tokens of ours in one request that has no proxy credential: none of them comes before the others."""
    return Refusal(
        400,
        "credential-ambiguous",
        "Ambiguous credential",
        "The request carries more than one of the tokens that sign somebody in.",
        next_step="Send exactly one credential.",
    )


def misplaced() -> Refusal:
    """The token stands in the address, which every log on the way keeps."""
    return Refusal(
        400,
        "credential-misplaced",
        "Credential in the address",
        "The address of the request holds the token that signs you in, so the service would get it.",
        next_step="Leave the token out of the address: the gateway has it from the proxy credential.",
    )


def mixed(detail: str) -> Refusal:
    """Two credentials that do not belong to the same person, or two sign-ins on one connection."""
    return Refusal(
        403,
        "credential-mismatch",
        "Credentials of different people",
        detail,
        next_step="Use one person's token for the gateway, and a new connection for another person's.",
    )


def certificate(detail: str) -> Refusal:
    """A client certificate came and proves nothing. It is refused, and not taken for none: somebody relies on it."""
    return Refusal(
        511,
        "certificate-untrusted",
        "Client certificate not accepted",
        detail,
        next_step="Send a certificate that your organisation issued to you and that is in force, or none.",
    )


def replayed() -> Refusal:
    """A recorded request that something sends again through the gateway: nobody is there who asks."""
    return Refusal(
        403,
        "replay-refused",
        "Replayed request",
        "Requests are not replayed through the gateway, because nobody is there who asks.",
        next_step="Send the request again yourself, with your own token.",
    )
