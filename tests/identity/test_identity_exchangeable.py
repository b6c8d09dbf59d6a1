"""The token that a sign-in leaves for gateways to exchange: only one that is proved to be of that person, and sealed."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from demo.people import GATEWAY, PEOPLE
from demo.provider_state import SignIn, half_hash
from sluicegate.database.tables import sessions
from sluicegate.identity.sign_in.sealing import SUBJECT_TOKEN
from tests.identity.test_identity_sign_in import Site, serving
from tests.provider import Provider

EXCHANGE: dict[str, Any] = {"client_id": GATEWAY, "client_secret": "x"}


@pytest.fixture
def provider() -> Any:
    with Provider() as running:
        yield running


@pytest.fixture
async def site(provider: Provider, tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(provider, tmp_path, token_exchange=EXCHANGE, refresh_seconds=300.0) as site:
        yield site


async def kept(site: Site, whose: str = "ada") -> str | None:
    """The token of the newest session."""
    query = select(sessions.c.subject_token).order_by(sessions.c.created.desc()).limit(1)
    sealed = await site.database.read(lambda connection: connection.execute(query).scalar_one())
    return None if sealed is None else site.sealing.open(sealed, whose, SUBJECT_TOKEN)


async def due(site: Site) -> float:
    query = select(sessions.c.refresh_at - sessions.c.confirmed).order_by(sessions.c.created.desc()).limit(1)
    return float(await site.database.read(lambda connection: connection.execute(query).scalar_one()))


async def test_an_access_token_that_came_with_the_id_token_is_kept_sealed(site: Site, tmp_path: Path) -> None:
    opaque = secrets.token_urlsafe(30)
    answer = await site.begin(id_token=site.id_token(at_hash=half_hash(opaque)), access_token=opaque)
    assert answer.status_code == 200 and await kept(site) == opaque
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or opaque.encode() not in file.read_bytes(), file


async def test_a_jwt_of_the_same_person_is_kept(site: Site, provider: Provider) -> None:
    token = provider.token("ada", aud="https://another.api")
    assert (await site.begin(id_token=site.id_token(), access_token=token)).status_code == 200
    assert await kept(site) == token


async def test_nobody_signs_in_with_somebody_elses_access_token(site: Site, provider: Provider) -> None:
    """With it, the gateway would get tokens on behalf of the other one."""
    of_grace = provider.token("grace")
    answer = await site.begin(id_token=site.id_token(at_hash=half_hash("another")), access_token=of_grace)
    assert answer.status_code != 200
    answer = await site.begin(id_token=site.id_token(), access_token=of_grace)  # without at_hash nothing ties the two
    assert answer.status_code == 200 and await kept(site) is None


async def test_a_token_that_nobody_vouches_for_is_not_kept(site: Site, provider: Provider, caplog: Any) -> None:
    answer = await site.begin(id_token=site.id_token(), access_token="opaque-and-of-nobody")
    assert answer.status_code == 200 and await kept(site) is None
    assert "nobody says that it is theirs" in caplog.text and "opaque-and" not in caplog.text
    forged = f"{provider.token('ada')[:-8]}AAAAAAAA"
    assert (await site.begin(id_token=site.id_token(), access_token=forged)).status_code == 200
    assert await kept(site) is None
    assert (await site.begin(id_token=site.id_token())).status_code == 200 and await kept(site) is None


async def test_each_refresh_brings_another_and_the_end_takes_it(site: Site) -> None:
    signed_in = SignIn(PEOPLE["ada"], "at-the-provider")
    first = site.provider.token("ada")
    handle = await site.handle(refresh_token=site.refresh_token(signed_in), access_token=first)
    assert await kept(site) == first and await due(site) == pytest.approx(300)
    site.clock.ahead += 301
    assert await site.refreshing.round() == 1
    second = await kept(site)
    assert second is not None and second != first
    assert (await site.call(handle, "GET", "/api/session")).status_code == 200
    identity = (await site.call(handle, "GET", "/api/session")).json()["session"]["id"]
    assert (await site.call(handle, "POST", f"/api/sessions/{identity}/end", {})).status_code == 200
    assert await kept(site) is None


async def test_the_provider_is_asked_before_the_token_is_over(site: Site) -> None:
    token = site.provider.token("ada", exp=int(site.clock.now()) + 100)
    refresh = site.refresh_token(SignIn(PEOPLE["ada"], "s"))
    await site.handle(refresh_token=refresh, access_token=token)
    assert 70 <= await due(site) <= 76


async def test_the_id_token_where_that_is_what_is_exchanged(provider: Provider, tmp_path: Path) -> None:
    wanted = {**EXCHANGE, "subject_token": "id_token"}
    async with serving(provider, tmp_path, token_exchange=wanted) as site:
        text = site.id_token()
        assert (await site.begin(id_token=text, access_token="whatever")).status_code == 200
        assert await kept(site) == text


async def test_nothing_is_kept_where_nothing_is_exchanged(provider: Provider, tmp_path: Path) -> None:
    async with serving(provider, tmp_path) as site:
        await site.handle(access_token=provider.token("ada"), refresh_token=site.refresh_token(site.signed_in()))
        assert await kept(site) is None
        site.clock.ahead += 11
        assert await site.refreshing.round() == 1 and await kept(site) is None
