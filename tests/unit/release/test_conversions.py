"""Limits on conversions and on a fixed time: what they take back, keep, and leave open."""

import numpy as np
import pytest

from vitok.release.guards import Events, Limits, Values, judge_conversions, judge_slowness

LIMITS = Limits(None, None, None, None, 0.005, 0.05, conversion=0.15, latency_p95=500.0)


def units(champion: float, challenger: float, count: int, share: float = 0.5, seed: int = 1) -> Values:
    rng = np.random.default_rng(seed)
    arms = rng.random(count) < share
    values = (rng.random(count) < np.where(arms, challenger, champion)).astype(float)
    return Values(values, arms, np.full(count, share), 0.0, 1.0)


def judged(seen: Values):
    return judge_conversions("conversion", seen, 0.15, LIMITS, LIMITS.each)


def test_both_limits_have_names_and_a_part_of_alpha():
    assert LIMITS.names == ("conversion", "latency_p95")
    assert LIMITS.each == 0.025


def test_drop_by_a_third_is_broken():
    found = judged(units(0.10, 0.066, 40_000))
    assert (found.broken, found.kept) == (True, False)
    assert found.high < 1
    assert found.sentence.startswith("conversion broken: 6.")
    assert found.log_e >= found.boundary


def test_equal_conversions_are_kept():
    found = judged(units(0.10, 0.10, 40_000))
    assert (found.broken, found.kept) == (False, True)
    assert found.low < 1 < found.high


def test_drop_within_the_limit_is_no_reason_to_take_it_back():
    found = judged(units(0.10, 0.093, 300_000))
    assert found.log_e >= found.boundary  # lower for certain, and yet tolerated
    assert not found.broken


def test_few_units_leave_it_open():
    found = judged(units(0.10, 0.05, 200))
    assert (found.broken, found.kept) == (False, False)
    nothing = judged(units(0.1, 0.1, 0))
    assert nothing.sentence == "conversion: nothing to compare yet"


def test_false_alarms_stay_within_their_part():
    broken = [judged(units(0.2, 0.2, 3000, seed=seed)) for seed in range(300)]
    assert np.mean([found.log_e >= found.boundary for found in broken]) <= 0.05


@pytest.mark.parametrize(("rate", "broken", "kept"), [(0.2, True, False), (0.005, False, True)])
def test_fixed_time_may_be_exceeded_by_one_unit_in_twenty(rate, broken, kept):
    slow = np.random.default_rng(1).random(2000) < rate
    seen = Events(np.empty(0, bool), np.empty(0), slow, (2000, 2000))
    found = judge_slowness("latency_p95", seen, LIMITS, LIMITS.each)
    assert (found.broken, found.kept) == (broken, kept)
    assert "of units against 5.00%" in found.sentence
