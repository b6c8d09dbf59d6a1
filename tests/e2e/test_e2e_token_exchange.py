"""Token exchange (RFC 8693) on the wire, at the demo's provider: what the service sees, and what becomes of failures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.identity import exchange_suite
from tests.identity.driving import DemoDriver
from tests.identity.exchange_suite import Desk, code
from tests.provider import Provider


@pytest.fixture(scope="module")
def driver() -> Iterator[DemoDriver]:
    with Provider() as provider:
        yield DemoDriver(provider)


@pytest.fixture(scope="module")
def desk(driver: DemoDriver, certs: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with exchange_suite.desk(tmp_path_factory.mktemp("exchange"), driver.issuer, certs) as made:
        yield made


def test_the_service_sees_the_person(driver: DemoDriver, desk: Desk) -> None:
    exchange_suite.sees_the_person(driver, desk, acts={"sub": "sluicegate-gateway"})


def test_no_request_of_a_session_meets_the_provider(driver: DemoDriver, desk: Desk) -> None:
    """The token is there when the sign-in is, also for the very first request; then the provider may be gone."""
    exchanged = driver.provider.exchanged
    begun = len(exchanged)
    assert desk.workstation.login(driver, "ada").code == 0
    signed_in = len(exchanged)
    # Those of this sign-in alone: the console renews what other sessions have, whenever their time has come.
    mine = set(exchanged[begun:])
    assert mine
    driver.provider.answers["/token"] = lambda: ("down", 503)
    try:
        assert [desk.get(desk.workstation.handle).status_code for _ in range(5)] == [200] * 5
    finally:
        del driver.provider.answers["/token"]
    assert not mine.intersection(exchanged[signed_in:])


def test_a_token_that_comes_for_the_first_time_does_not_wait(driver: DemoDriver, desk: Desk) -> None:
    """A provider that is slow holds nothing up: the request is refused, and the next one has it."""
    arrived, go_on, over = threading.Event(), threading.Event(), threading.Event()

    def slowly() -> None:
        arrived.set()
        if not go_on.wait(2):  # the gateway gives up after five
            over.set()

    driver.provider.answers["/token"] = slowly
    token = driver.provider.token("ada", sid="first")
    try:
        assert code(desk.get(token)) == "503 exchange-under-way"
        for _ in range(2):
            answer = desk.get(token)
            if over.is_set():
                break  # on a slow machine it may have its token by now
            assert code(answer) == "503 exchange-under-way" and answer.headers["retry-after"] == "1"
        assert arrived.wait(60)
    finally:
        go_on.set()
        del driver.provider.answers["/token"]
    assert desk.patiently(token).json()["rows"][0]["seen"] == "ada"


def test_where_the_policy_says_so_requests_wait(driver: DemoDriver, certs: Any, tmp_path: Path) -> None:
    with exchange_suite.desk(
        tmp_path, driver.issuer, certs, identity=f"{exchange_suite.IDENTITY}wait_seconds = 8.0\n"
    ) as desk:
        for number in range(10):
            answer = desk.get(driver.provider.token("ada", sid=f"waits-{number}"))
            if answer.status_code == 200:
                break
            # Eight seconds are the most that a policy may say, and a busy machine may need more.
            assert code(answer) == "503 exchange-unavailable"
        assert answer.status_code == 200


def test_every_worker_has_what_the_console_fetched(driver: DemoDriver, certs: Any, tmp_path: Path) -> None:
    """Twelve workstations are at both workers, and the provider is down from the sign-in on."""
    # One sign-in at twelve addresses looks stolen; here it may.
    identity = f'sharing = "report"\n{exchange_suite.IDENTITY}'
    with exchange_suite.desk(tmp_path, driver.issuer, certs, identity=identity, gateway="workers = 2") as desk:
        exchanged = driver.provider.exchanged
        begun = len(exchanged)
        assert desk.workstation.login(driver, "ada").code == 0
        handle, signed_in = desk.workstation.handle, len(exchanged)
        mine = set(exchanged[begun:])
        assert mine
        driver.provider.answers["/token"] = lambda: ("down", 503)
        try:
            seen = [desk.get(handle, at=f"127.0.1.{one}") for one in range(1, 13)]
            assert [(answer.status_code, answer.json()["rows"][0]["seen"]) for answer in seen] == [(200, "ada")] * 12
        finally:
            del driver.provider.answers["/token"]
        assert not mine.intersection(exchanged[signed_in:])
        assert desk.workstation.run("logout").code == 0
        for one in range(1, 13):
            # Within a third of a second, each worker knows; until then it may miss the token, which goes with the session.
            while (answer := desk.get(handle, at=f"127.0.1.{one}")).status_code in (200, 503):
                pass
            assert code(answer) == "511 session-logout"


def test_it_goes_with_the_session(driver: DemoDriver, desk: Desk) -> None:
    exchange_suite.goes_with_the_session(driver, desk)


def test_whoever_brings_a_token_of_the_provider_is_seen_too(driver: DemoDriver, desk: Desk) -> None:
    for person in ("ada", "linus"):
        answer = desk.patiently(driver.provider.token(person, sid=f"bearer-{person}"))
        assert answer.json()["rows"][0]["seen"] == person, answer.text


def test_many_people_at_once_are_not_mixed_up(driver: DemoDriver, desk: Desk) -> None:
    from concurrent.futures import ThreadPoolExecutor

    people = [
        (person, driver.provider.token(person, sid=f"{person}-{n}")) for n in range(8) for person in ("ada", "linus")
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: desk.patiently(one[1]).json()["rows"][0]["seen"], people))
    assert answers == [person for person, _ in people]


def test_whoever_a_rule_denies_gets_no_token(driver: DemoDriver, desk: Desk) -> None:
    token = driver.provider.token("grace", sid="grace")
    assert desk.get(token).status_code == 403 and token not in driver.provider.exchanged


def test_a_service_that_stops_taking_it(driver: DemoDriver, desk: Desk) -> None:
    """Its own refusal comes through as it is; nothing else is tried in the place of the token."""
    token = driver.provider.token("ada", sid="deaf")
    assert desk.patiently(token).status_code == 200
    desk.service.deaf = True
    used = len(desk.service.tokens)
    assert desk.get(token).status_code == 401
    desk.service.deaf = False
    assert len(desk.service.tokens) == used + 1 and desk.get(token).status_code == 200


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (({"error": "invalid_target"}, 400), "502 exchange-refused"),
        (({"error": "invalid_grant", "error_description": "over"}, 400), "502 exchange-refused"),
        (("<html>", 200), "502 exchange-refused"),
        (("no", 500), "503 exchange-unavailable"),
    ],
)
def test_without_a_token_nothing_goes_out(driver: DemoDriver, desk: Desk, answer: Any, said: str) -> None:
    driver.provider.answers["/token"] = lambda: answer
    before = len(desk.service.origin.received)
    try:
        found = desk.patiently(driver.provider.token("ada", sid=f"none-{said}-{answer}"))
    finally:
        del driver.provider.answers["/token"]
    assert code(found) == said and "sluicegate" in found.headers["proxy-status"] and found.json()["next_step"]
    assert len(desk.service.origin.received) == before
    desk.running.wait_for("no token for the service persons on behalf of .ada.", 60)


def test_it_is_nowhere_to_be_found(driver: DemoDriver, desk: Desk) -> None:
    """The last one: it stops the gateway."""
    begun = len(driver.provider.exchanged)
    assert desk.workstation.login(driver, "ada").code == 0
    bearer = driver.provider.token("ada", sid="nowhere")
    for secret in (desk.workstation.handle, bearer):
        assert desk.patiently(secret).status_code == 200
    given = set(driver.provider.exchanged[begun:])
    assert bearer in given and len(given) >= 2  # the other is the session's
    exchange_suite.is_nowhere(desk, *given)


def test_an_actor_token_and_an_id_token(driver: DemoDriver, certs: Any, tmp_path: Path) -> None:
    actor = tmp_path / "actor"
    actor.write_text(driver.provider.token("nightly-embeddings", client_id="nightly-embeddings"))
    identity = (
        f"{exchange_suite.IDENTITY}subject_token = 'id_token'\nactor_token_file = '{actor}'\nclient_auth = 'post'\n"
    )
    with exchange_suite.desk(tmp_path, driver.issuer, certs, identity=identity) as desk:
        exchange_suite.sees_the_person(driver, desk, acts={"sub": "nightly-embeddings"})
