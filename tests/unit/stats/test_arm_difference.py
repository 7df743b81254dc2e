"""The difference of two arms without pairs: unbiased at any share, whatever level both arms share."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.stats.arm_difference import ArmDifference
from vitok.stats.betting import MeanSequence

units = st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(0.02, 0.98)), max_size=30)


def seen(stream, start=None):
    start = start or ArmDifference.start()
    if not stream:
        return start
    value, arm, share = (np.array(each) for each in zip(*stream, strict=True))
    return start.update_many(value, arm, share)


def quality(rng, rows, champion, challenger, share):
    """Values of 0 and 1, and arms."""
    arm = rng.random(rows) < share
    return (rng.random(rows) < np.where(arm, challenger, champion)).astype(np.float64), arm


@given(units, st.floats(0, 1), st.floats(0, 1), st.floats(0.02, 0.98))
def test_expectation_over_the_arm_is_the_difference_itself(past, champion, challenger, share):
    state = seen(past)
    one, _ = state.weighed(np.array([challenger]), np.array([True]), share)
    other, _ = state.weighed(np.array([champion]), np.array([False]), share)
    assert share * one[0] + (1 - share) * other[0] == pytest.approx(challenger - champion, abs=1e-9)


@given(units, st.floats(0, 1), st.floats(0.02, 0.98))
def test_capital_is_fair_where_the_difference_is_at_the_boundary(past, level, share):
    """Both arms give `level`, so that the difference is 0, the boundary of `worse`."""
    state = seen(past)
    change = 0.0
    for arm, chance in ((True, share), (False, 1 - share)):
        change += chance * math.exp(state.update(level, arm, share).worse.log_e - state.worse.log_e)
    assert change == pytest.approx(1.0, rel=1e-9)


@given(units, st.integers(0, 30))
def test_batches_of_any_size_give_one_state(stream, cut):
    whole = seen(stream)
    parts = seen(stream[cut:], seen(stream[:cut]))
    assert (parts.rows, parts.challengers) == (whole.rows, whole.challengers)
    assert parts.worse.log_e == pytest.approx(whole.worse.log_e, abs=1e-9)
    assert parts.not_worse.highest == pytest.approx(whole.not_worse.highest, abs=1e-9)
    assert parts.interval() == pytest.approx(whole.interval(), abs=1e-9)


@given(units)
def test_state_survives_json(stream):
    state = seen(stream)
    assert ArmDifference.from_json(json.loads(json.dumps(state.as_json()))) == state


def test_worse_challenger_is_found_and_a_fine_one_is_not():
    rng = np.random.default_rng(1)
    worse = ArmDifference.start().update_many(*quality(rng, 8000, 0.9, 0.84, 0.25), 0.25)
    assert worse.worse.crossed(0.05)
    assert not worse.not_worse.crossed(0.05)
    fine = ArmDifference.start().update_many(*quality(rng, 20_000, 0.9, 0.9, 0.25), 0.25)
    assert fine.not_worse.crossed(0.05)
    assert not fine.worse.crossed(0.05)
    low, high = fine.interval()
    assert -0.03 < low < 0 < high < 0.03


def test_false_alarms_stay_below_alpha_while_share_and_level_move():
    """The level falls from .95 to .6 while the share ramps up: arms compared by their means would differ."""
    rng, alarms = np.random.default_rng(2), 0
    share, level = np.repeat([0.05, 0.25, 0.5], 800), np.repeat([0.95, 0.8, 0.6], 800)
    for _ in range(300):
        state = ArmDifference.start().update_many(*quality(rng, 2400, level, level, share), share)
        low, high = state.interval()
        alarms += state.worse.crossed(0.05) or not low <= 0 <= high
    assert alarms / 300 < 0.06


@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.5])
def test_interval_is_narrower_than_the_difference_of_two_intervals(share):
    value, arm = quality(np.random.default_rng(3), 20_000, 0.9, 0.9, share)
    low, high = ArmDifference.start().update_many(value, arm, share).interval(0.05)
    apart = 0.0
    for mine in (value[arm], value[~arm]):
        ends = MeanSequence.start(0, 1).update_many(mine).interval(0.025)
        apart += ends[1] - ends[0]
    assert high - low < apart


def test_scale_of_the_values_does_not_matter():
    value, arm = quality(np.random.default_rng(4), 3000, 0.7, 0.6, 0.3)
    one = ArmDifference.start(worse=-0.01).update_many(value, arm, 0.3)
    other = ArmDifference.start(-50, 150, worse=-2.0).update_many(value * 200 - 50, arm, 0.3)
    assert other.worse.log_e == pytest.approx(one.worse.log_e)
    assert other.interval() == pytest.approx([200 * end for end in one.interval()], abs=1e-6)


@pytest.mark.parametrize(("value", "share"), [(1.1, 0.5), (math.nan, 0.5), (0.5, 0.0), (0.5, 1.0)])
def test_value_out_of_range_and_a_single_arm_are_refused(value, share):
    with pytest.raises(ValueError, match=r"outside|share"):
        ArmDifference.start().update(value, True, share)


def test_nothing_seen_says_nothing():
    state = ArmDifference.start()
    assert state.update_many([], np.array([], dtype=bool), 0.1) == state
    assert state.interval() == pytest.approx((-1.0, 1.0))
