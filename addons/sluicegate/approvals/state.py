"""The life of an approval, as a table. Pure: the database and the clock are elsewhere."""

from __future__ import annotations

from typing import Literal

State = Literal["pending", "approved", "denied", "expired", "withdrawn", "used", "revoked"]
Event = Literal["approve", "break_glass", "deny", "expire", "withdraw", "use", "revoke"]

TRANSITIONS: dict[State, dict[Event, State]] = {
    "pending": {
        "approve": "approved",
        "break_glass": "approved",
        "deny": "denied",
        "expire": "expired",
        "withdraw": "withdrawn",
    },
    "approved": {"use": "used", "expire": "expired", "revoke": "revoked"},
    "denied": {},
    "expired": {},
    "withdrawn": {},
    "used": {},
    "revoked": {},
}
"""What may happen in each state, and where it leads. `approve` is the last yes that is needed, `use` the last use."""


class IllegalTransition(Exception):
    """Something was asked of an approval that its state does not permit."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"cannot {event} what is {state}")
        self.state = state
        self.event = event


def advance(state: State, event: Event) -> State:
    """The state after the event. Raises IllegalTransition."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(state, event) from None


def at(now: float, state: State, pending_until: float, grant_until: float | None) -> State:
    """The true state at a time: what is past its end has expired, whether or not anybody has written that down.

    All three times are seconds since the epoch. The end itself is already too late.
    """
    if state == "pending" and now >= pending_until:
        return advance(state, "expire")
    if state == "approved" and (grant_until is None or now >= grant_until):
        return advance(state, "expire")
    return state
