"""Two places at once: sharing is found, a laptop that roams is left alone."""

import pytest

from sluicegate.identity.sessions.places import PlaceNames, Whereabouts

HOME, OFFICE, VPN = "192.0.2.10", "198.51.100.20", "203.0.113.30"


def played(*steps: tuple[float, str], same: tuple[str, ...] = (), within: float = 60.0) -> list[float]:
    """At which times the session was said to be in two places."""
    names, where = PlaceNames(same), Whereabouts()
    return [at for at, address in steps if where.seen(names.of(address), at, within) is not None]


def test_one_place_is_one_place() -> None:
    assert played(*((float(at), HOME) for at in range(1000))) == []


@pytest.mark.parametrize(
    "steps",
    [
        [(0, HOME), (1, OFFICE), (2, VPN), (3, "192.0.2.11")],  # roams on and on
        [(0, HOME), (10, OFFICE), (20, HOME)],  # and comes back once
        [(0, HOME), (10, OFFICE), (20, HOME), (100, OFFICE), (200, HOME), (300, OFFICE)],  # to and fro, slowly
        [(0, HOME), (1, "2001:db8::1"), (2, HOME), (3, "2001:db8::1"), (4, HOME)],  # IPv4 and IPv6 in turn
        [(0, "2001:db8::1"), (1, "2001:db8::2"), (2, "2001:db8::1"), (3, "2001:db8::2")],  # addresses of one network
        [(0, HOME), (1, f"::ffff:{HOME}"), (2, HOME), (3, f"::ffff:{HOME}")],
        [(0, "127.0.0.1"), (1, "::1"), (2, "127.0.0.2"), (3, "127.0.0.1")],
    ],
)
def test_these_are_one_person(steps: list[tuple[float, str]]) -> None:
    assert played(*steps) == []


@pytest.mark.parametrize(
    "steps, when",
    [
        ([(0, HOME), (1, OFFICE), (2, HOME), (3, OFFICE)], [3]),
        ([(0, HOME), (30, OFFICE), (59, HOME), (80, OFFICE)], [80]),
        ([(0, HOME), (1, OFFICE), (2, VPN), (3, HOME), (4, OFFICE)], [4]),
        ([(0, "2001:db8:1::1"), (1, "2001:db8:2::1"), (2, "2001:db8:1::1"), (3, "2001:db8:2::9")], [3]),
    ],
)
def test_these_are_two(steps: list[tuple[float, str]], when: list[float]) -> None:
    assert played(*steps) == when


def test_the_time_is_what_the_policy_says() -> None:
    steps = [(0.0, HOME), (20.0, OFFICE), (40.0, HOME), (60.0, OFFICE)]
    assert played(*steps, within=10) == []
    assert played(*steps, within=30) == [60.0]


def test_networks_that_are_one_place() -> None:
    steps = [(0.0, HOME), (1.0, OFFICE), (2.0, HOME), (3.0, OFFICE)]
    assert played(*steps, same=("192.0.2.0/24",)) == [3.0]
    pool = [(0.0, "192.0.2.1"), (1.0, "192.0.2.2"), (2.0, "192.0.2.1"), (3.0, "192.0.2.2")]
    assert played(*pool) == [3.0]
    assert played(*pool, same=("192.0.2.0/24",)) == []


def test_no_address_is_a_place_too() -> None:
    names = PlaceNames(())
    assert names.of("") == names.of("") != names.of("somewhere")
    assert names.of("fe80::1%eth0") == names.of("fe80::2%eth1")


def test_what_is_remembered_is_bounded() -> None:
    names, where = PlaceNames(()), Whereabouts()
    for number in range(20_001):
        where.seen(names.of(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"), float(number), 60.0)
    assert len(where.left) < 70
    assert len(names._known) <= 10_000
