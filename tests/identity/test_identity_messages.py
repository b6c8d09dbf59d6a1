"""A message of a WebSocket is sent by whoever is signed in now, and that must be who opened it."""

import pytest

from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Principal
from sluicegate.identity.addon import IdentityAddon

ADA, EVE = Principal("ada", "https://idp.test"), Principal("eve", "https://idp.test")
GONE = Refusal(407, "session-ended", "Session ended", "It was ended.")


def message(says, opened_by=ADA):
    async def again(exchange):
        if isinstance(says, Exception):
            raise says
        return says

    opened = Exchange("opened", 0.0, principal=opened_by, again=again if says is not None else None)
    return Exchange("one", 1.0, opened=opened)


async def judged(exchange):
    await IdentityAddon.socket_message(None, None, exchange)
    return exchange.principal


async def test_who_opened_it_and_is_still_signed_in():
    later = Principal("ada", "https://idp.test", frozenset({"new-group"}))
    assert await judged(message(later)) is later, "what is known of them now counts"


@pytest.mark.parametrize(("says", "code"), [(GONE, "session-ended"), (EVE, None)], ids=["ended", "somebody else"])
async def test_anybody_else_is_refused(says, code):
    exchange = message(says)
    with pytest.raises(Refusal) as refused:
        await judged(exchange)
    assert exchange.principal is None and code in (None, refused.value.code)


async def test_where_nobody_is_known_nothing_moves():
    with pytest.raises(RuntimeError):
        await judged(message(None))
    with pytest.raises(RuntimeError):
        await judged(Exchange("one", 1.0))
