"""The benchmark's own judge: numbers made from wrong answers must never be printed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from rich.console import Console

from bench import report
from bench.expected import Expected, WrongAnswer
from bench.origin import body
from bench.report import bar_met, growth_met, ratios
from bench.rounds import Sample


def masked(**changes: Any) -> bytes:
    """The origin's body as a gate should hand it out, or with something else in the first row."""
    chunk = orjson.loads(body())
    for row in chunk["rows"]:
        row |= {"ssn": "*******" + row["ssn"][-4:], "email": "hmac-of-it"}
    chunk["rows"][0] |= changes
    return orjson.dumps(chunk)


def test_the_body_is_one_kilobyte_of_customers() -> None:
    chunk = orjson.loads(body())
    assert 850 < len(body()) <= 1024
    assert len(chunk["rows"]) >= 4 and {"ssn", "email"} <= set(chunk["rows"][0]) == set(chunk["columns"])


def test_clear_rows_have_to_be_the_origins_own_bytes() -> None:
    expected = Expected(masked=False)
    expected.check(b"200", body())
    for wrong in (b"", body()[:-1], body() + b" ", masked()):
        with pytest.raises(WrongAnswer):
            expected.check(b"200", wrong)


def test_masked_rows_have_to_be_masked_and_else_unchanged() -> None:
    Expected(masked=True).check(b"200", masked())
    clear = orjson.loads(body())["rows"][0]
    for wrong in (
        body(),
        masked(ssn=clear["ssn"]),
        masked(email=clear["email"]),
        masked(ssn=None),
        masked(ssn=""),
        masked(name="somebody else"),
        masked(more=1),
        b"{}",
        b"[]",
        b"null",
        b"",
    ):
        with pytest.raises(WrongAnswer):
            Expected(masked=True).check(b"200", wrong)


def test_each_later_answer_has_to_be_the_first_one() -> None:
    expected = Expected(masked=True)
    expected.check(b"200", masked())
    with pytest.raises(WrongAnswer):
        expected.check(b"200", masked(email="another-hmac"))


@pytest.mark.parametrize("status", [b"403", b"407", b"502", b"202", b""])
def test_a_refusal_is_no_answer(status: bytes) -> None:
    with pytest.raises(WrongAnswer):
        Expected(masked=False).check(status, body())


def sample(target: str, rps: float, connections: int = 16) -> Sample:
    return Sample(target, connections, rps, 1.0, 2.0, 1.0)


def test_the_bar_has_to_be_met_at_every_number_of_connections() -> None:
    quiet = Console(quiet=True)
    good = [sample(report.BARE, 100), sample(report.GATE, 121)]
    assert bar_met(quiet, good)
    assert not bar_met(quiet, [*good, sample(report.BARE, 100, 1), sample(report.GATE, 119, 1)])


def test_the_ratio_is_taken_round_by_round() -> None:
    found = [sample(report.BARE, 100), sample(report.GATE, 200), sample(report.GATE, 100), sample(report.BARE, 50)]
    assert ratios(found, report.GATE, 16) == [2.0, 2.0]


def test_memory_may_not_grow_by_the_smallest_object_a_request() -> None:
    quiet = Console(quiet=True)
    assert growth_met(quiet, [80 << 20, 80 << 20], 100_000)
    assert growth_met(quiet, [80 << 20, 79 << 20], 100_000)
    assert not growth_met(quiet, [80 << 20, (80 << 20) + 16 * 100_000], 100_000)
    assert not growth_met(quiet, [80 << 20, (80 << 20) + 16 * 10_000], 10_000)
