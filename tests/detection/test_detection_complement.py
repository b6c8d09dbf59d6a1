"""Two people who share a dataset out: what is said of them, and what summaries may be off by."""

from __future__ import annotations

import random

import pytest

from sluicegate.detection.covered import Covered
from sluicegate.detection.indicators.complement import pairs_with
from sluicegate.detection.look import LEAST

TODAY = 739_000


def taken(*parts: int, seed: int) -> list[Covered]:
    """Two people: what they have in common, and what each has alone, in so many chunks."""
    lot = random.Random(seed)
    common, *alone = [[lot.getrandbits(64) for _ in range(part)] for part in parts]
    found = []
    for own in alone:
        found.append(Covered())
        for one in common + own:
            found[-1].add(one, TODAY)
    return found


def pairs(*parts: int, of: float, seed: int = 1):
    one, other = taken(*parts, seed=seed)
    return pairs_with("one", {"one": one, "other": other}, TODAY, of)


@pytest.mark.parametrize("part", [60, 150, 250, 500, 900])
def test_parts_that_have_nothing_in_common_are_found_also_in_a_small_dataset(part):
    for seed in range(10):
        (pair,) = pairs(0, part, part, of=2.8 * part, seed=seed)
        assert pair.bits > 10.0, (seed, pair)


def test_what_is_hardly_strange_is_not_said():
    said = [pair.bits for common in range(0, 100, 2) for pair in pairs(common, 200 - common, 200 - common, of=500)]
    assert said and min(said) >= LEAST, said


@pytest.mark.parametrize("part", [60, 250, 900, 3000])
def test_what_chance_would_have_them_share_is_never_strange(part):
    """Half of what each has is the other's too, as where both take half of it all by lot."""
    for seed in range(40):
        assert pairs(part // 2, part - part // 2, part - part // 2, of=2 * part, seed=seed) == []
