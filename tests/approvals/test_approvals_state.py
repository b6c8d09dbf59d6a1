"""The state machine, exhaustively: every state with every event, and both ends of every time."""

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.approvals.state import TRANSITIONS, Event, IllegalTransition, State, advance, at

STATES = typing.get_args(State)
EVENTS = typing.get_args(Event)
LEGAL = {
    ("pending", "approve"): "approved",
    ("pending", "break_glass"): "approved",
    ("pending", "deny"): "denied",
    ("pending", "expire"): "expired",
    ("pending", "withdraw"): "withdrawn",
    ("approved", "use"): "used",
    ("approved", "expire"): "expired",
    ("approved", "revoke"): "revoked",
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_every_state_with_every_event(state: State, event: Event) -> None:
    if (state, event) in LEGAL:
        assert advance(state, event) == LEGAL[state, event]
    else:
        with pytest.raises(IllegalTransition, match=f"cannot {event} what is {state}"):
            advance(state, event)


def test_every_state_stands_in_the_table() -> None:
    assert set(TRANSITIONS) == set(STATES)


@pytest.mark.parametrize(("state", "event"), [("nonsense", "use"), ("pending", "nonsense"), ("", "")])
def test_what_is_no_state_or_event_is_illegal(state: str, event: str) -> None:
    with pytest.raises(IllegalTransition):
        advance(state, event)  # type: ignore[arg-type]


def test_no_way_leads_out_of_an_end_or_round_in_a_circle() -> None:
    def ways(state: State, seen: tuple[State, ...]) -> None:
        assert state not in seen
        for following in TRANSITIONS[state].values():
            ways(following, (*seen, state))

    ways("pending", ())


@pytest.mark.parametrize(("before", "state"), [(0.001, "pending"), (0.0, "expired"), (-0.001, "expired")])
def test_pending_ends_at_its_time(before: float, state: State) -> None:
    assert at(1000.0 - before, "pending", 1000.0, None) == state


@pytest.mark.parametrize(("before", "state"), [(0.001, "approved"), (0.0, "expired"), (-0.001, "expired")])
def test_a_grant_ends_at_its_time_whenever_it_was_pending(before: float, state: State) -> None:
    assert at(1000.0 - before, "approved", 1.0, 1000.0) == state


def test_a_grant_without_an_end_is_no_grant() -> None:
    assert at(0.0, "approved", 1e9, None) == "expired"


@given(st.sampled_from(STATES), st.floats(allow_nan=False), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_time_alone_only_ever_expires(state: State, now: float, pending: float, grant: float) -> None:
    later = at(now, state, pending, grant)
    assert later == state or (state in ("pending", "approved") and later == "expired")
