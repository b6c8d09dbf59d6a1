"""What is said to somebody whose handle does not count. None of it quotes the handle."""

from __future__ import annotations

from sluicegate.errors import Refusal

_AGAIN = "Run `sluicegate login`."
_WHY = {
    "logout": "You signed out.",
    "operator": "An operator ended this sign-in.",
    "provider": "Your identity provider ended this sign-in.",
    "stolen": "This sign-in was used in two places, so it was ended: somebody else may have its handle.",
    "idle": "This sign-in went unused for too long.",
    "expired": "This sign-in is over.",
    "replaced": "You have signed in too often since; this sign-in was the one that was not used for longest.",
}


def malformed() -> Refusal:
    """It is not a handle as we make them: its checksum is wrong."""
    return _refused("handle-malformed", "The credential is a handle that was mistyped or cut: its checksum is wrong.")


def unknown() -> Refusal:
    return _refused("handle-unknown", "The gateway knows no sign-in with this handle.")


def ended(why: str) -> Refusal:
    """The session was ended."""
    next_step = _AGAIN
    if why == "stolen":
        next_step += " If you did not share it, tell your security team."
    return _refused(f"session-{why}", _WHY.get(why, "This sign-in was ended."), next_step)


def expired() -> Refusal:
    return _refused("session-expired", _WHY["expired"])


def idle(seconds: float) -> Refusal:
    return _refused("session-idle", f"This sign-in went unused for {seconds / 60:.0f} minutes.")


def unconfirmed() -> Refusal:
    """The provider has not said for too long that the person is still there."""
    return _refused("session-unconfirmed", "Your identity provider has not confirmed this sign-in for too long.")


def unreadable() -> Refusal:
    """What is known of sessions is too old to be believed."""
    return Refusal(
        503,
        "sessions-unavailable",
        "Sign-ins cannot be checked",
        "The gateway cannot read who is signed in, and what it knows is too old to go by.",
        next_step="Try again in half a minute; if it stays, tell the gateway's operator.",
        headers={"retry-after": "30"},
    )


def _refused(code: str, detail: str, next_step: str = _AGAIN) -> Refusal:
    return Refusal(511, code, f"Sign in again: {code.replace('-', ' ')}", detail, next_step=next_step)
