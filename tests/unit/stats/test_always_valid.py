"""What looking after every unit costs: the block simulation against the test itself, unit by unit."""

import math

import numpy as np
import pytest

from vitok.stats.abdesign import Demand, rates_size
from vitok.stats.always_valid import Arms, units_to_find
from vitok.stats.arm_difference import ArmDifference


def rates(base: float, other: float, share: float = 0.5) -> tuple[Arms, float]:
    old, new = (math.sqrt(rate * (1 - rate)) for rate in (base, other))
    once = rates_size(base, other, Demand(share=share, is_two_sided=True))
    return Arms(other - base, old, new, share, 1.0), once


def directly(base: float, other: float, share: float, most: int, runs: int) -> np.ndarray:
    """Units until the betting test of two arms finds the difference, on coins."""
    rng, stops = np.random.default_rng(4), np.empty(runs)
    start = ArmDifference.start(0.0, 1.0, worse=0.0, not_worse=0.0)
    for run in range(runs):
        arm = rng.random(most) < share
        values = (rng.random(most) < np.where(arm, other, base)).astype(float)
        path = start.not_worse.path(*start.weighed(values, arm, share)) >= math.log(40)
        stops[run] = path.argmax() + 1 if path.any() else most
    return stops


@pytest.mark.parametrize(("base", "other", "share"), [(0.3, 0.36, 0.5), (0.3, 0.36, 0.2), (0.05, 0.08, 0.5)])
def test_blocks_take_as_long_as_single_units(base, other, share):
    arms, once = rates(base, other, share)
    found = units_to_find(arms, 0.025, 0.8, once)
    stops = directly(base, other, share, int(8 * once), 600)
    assert found.mean == pytest.approx(stops.mean(), rel=0.09)
    assert found.enough == pytest.approx(np.quantile(stops, 0.8), rel=0.09)


def test_looking_always_costs_about_twice_the_units_of_one_test():
    for base, other in ((0.3, 0.35), (0.8, 0.82), (0.032, 0.037)):
        arms, once = rates(base, other)
        found = units_to_find(arms, 0.025, 0.8, once)
        assert 1.2 < found.mean / once < 1.6
        assert 1.9 < found.enough / once < 2.4


def test_same_seed_gives_the_same_units():
    arms, once = rates(0.3, 0.35)
    assert units_to_find(arms, 0.025, 0.8, once) == units_to_find(arms, 0.025, 0.8, once)


def test_difference_that_is_not_there_is_hardly_ever_found():
    arms, once = rates(0.3, 0.35)
    null = Arms(0.0, arms.champion, arms.champion, 0.5, 1.0)
    found = units_to_find(null, 0.025, 0.02, once)
    assert found.mean > 7.7 * once  # at most 2.5 % end before the last of 8 times the units
