"""How a person is told that there is no token for the service on their behalf. Never is another credential used."""

from __future__ import annotations

from sluicegate.errors import Refusal


def unavailable(service: str) -> Refusal:
    """The provider cannot be asked, or did not answer in time."""
    return Refusal(
        503,
        "exchange-unavailable",
        "No token for the service now",
        f"The service {service} takes requests with a token of yours alone, and the identity provider did not give the "
        "gateway one in time.",
        next_step="Try again in a few seconds; if it stays, tell the gateway's operator.",
        headers={"retry-after": "5"},
    )


def under_way(service: str) -> Refusal:
    """Nothing was fetched ahead, as for a token of the provider that comes for the first time: it is fetched now."""
    return Refusal(
        503,
        "exchange-under-way",
        "Token for the service is being fetched",
        f"The service {service} takes requests with a token of yours alone. The gateway had none at hand and is asking "
        "the identity provider for one now; no request waits for that.",
        next_step="Send the request again in a second.",
        headers={"retry-after": "1"},
    )


def refused(service: str, error: str) -> Refusal:
    """The provider does not give the gateway a token, or none that can be used. `error` is its own word, or empty."""
    why = f" ({error})" if error else ""
    return Refusal(
        502,
        "exchange-refused",
        "No token for the service",
        f"The service {service} takes requests with a token of yours alone, and the identity provider does not give "
        f"the gateway one that can be used{why}.",
        next_step="Sign in again with `sluicegate login`; if it stays, tell the gateway's operator.",
    )


def nothing_to_exchange(service: str) -> Refusal:
    """The session holds no token of the provider."""
    return Refusal(
        511,
        "exchange-no-token",
        "Sign in again: no token to exchange",
        f"The service {service} takes requests with a token of yours alone, and the gateway has none of your sign-in "
        "that it could exchange for one.",
        next_step="Sign in again with `sluicegate login`.",
    )


def ended() -> Refusal:
    """What signed the person in was taken back while the provider was asked."""
    return Refusal(
        511,
        "session-ended",
        "Sign in again: session ended",
        "This sign-in was ended while the gateway asked for a token on its behalf.",
        next_step="Sign in again with `sluicegate login`.",
    )
