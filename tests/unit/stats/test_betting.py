"""Bets on a bounded mean: fair in expectation, the same in one batch as in many, and of the published use."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitok.stats.betting import HORIZONS, BettingTest, Bounds, MeanSequence

values = st.lists(st.floats(-1, 1), max_size=40)
PAIRS = ([-1.0, 0.0, 1.0], [0.0232, 0.9336, 0.0432])  # two models that disagree on 6.6 % of rows


def two_points(mean, low, high):
    """A law on both ends of the range with this mean."""
    chance = (mean - low) / (high - low)
    return ((high, chance), (low, 1 - chance))


@given(values, st.floats(-0.9, 0.9), st.booleans(), st.floats(-1, -0.91), st.floats(0.91, 1))
def test_capital_is_fair_under_the_hypothesis(past, null, is_above, low, high):
    start = BettingTest.against_at_most if is_above else BettingTest.against_at_least
    test = start(null, -1, 1).update_many(past)
    after = [
        chance * math.exp(test.update(value).log_e - test.log_e)
        for value, chance in two_points(null, low, high)
    ]
    assert sum(after) == pytest.approx(1.0, rel=1e-9)


@given(values, st.floats(-0.9, 0.9), st.floats(0, 1))
def test_capital_shrinks_within_the_hypothesis(past, null, depth):
    mean = null - depth * (null + 1)
    test = BettingTest.against_at_most(null, -1, 1).update_many(past)
    after = [chance * math.exp(test.update(x).log_e - test.log_e) for x, chance in two_points(mean, -1, 1)]
    assert sum(after) <= 1 + 1e-9


@given(values, st.integers(0, 40), st.lists(st.floats(0.5, 4), min_size=40, max_size=40))
def test_batches_of_any_size_give_one_state(past, cut, scales):
    scale = np.array(scales[: len(past)])
    value = np.array(past) * scale
    test, sequence = BettingTest.against_at_most(0.1, -1, 1), MeanSequence.start(-1, 1)
    whole = [each.update_many(value, Bounds(-scale, scale, scale**2)) for each in (test, sequence)]
    for part in (slice(0, cut), slice(cut, None)):
        bounds = Bounds(-scale[part], scale[part], scale[part] ** 2)
        test, sequence = test.update_many(value[part], bounds), sequence.update_many(value[part], bounds)
    for found, expected in zip((test, sequence), whole, strict=True):
        for name, figure in expected.as_json().items():
            assert found.as_json()[name] == pytest.approx(figure, rel=1e-9, abs=1e-9)


@given(values)
def test_paths_are_those_of_one_value_at_a_time(past):
    test, sequence = BettingTest.against_at_least(0.1, -1, 1), MeanSequence.start(-1, 1)
    path, (lows, highs) = test.path(past), sequence.intervals(past, 0.1)
    for place, value in enumerate(past):
        test, sequence = test.update(value), sequence.update(value)
        assert path[place] == pytest.approx(test.log_e, abs=1e-9)
        assert (lows[place], highs[place]) == pytest.approx(sequence.interval(0.1), abs=1e-6)
    assert test.highest == pytest.approx(max(0.0, *path, 0.0))


@given(values)
def test_state_survives_json(past):
    test, sequence = BettingTest.against_at_most(0, -1, 1), MeanSequence.start(-1, 1)
    for each in (test.update_many(past), sequence.update_many(past)):
        assert type(each).from_json(json.loads(json.dumps(each.as_json()))) == each


@given(values, st.floats(-0.95, 0.95), st.floats(-1, 1), st.sampled_from([-1.0, 1.0]))
def test_each_bet_of_the_sequence_is_fair_or_worse(past, mean, point, sign):
    """Laws of three points, with this mean: some chance of `point`, the rest at the ends of the range."""
    before = MeanSequence.start(-1, 1).update_many(past)
    law = [(point, 0.5)]
    rest = 2 * mean - point
    if not -1 <= rest <= 1:
        law, rest = [], mean
    law += [(x, chance * (1 - sum(c for _, c in law))) for x, chance in two_points(rest, -1, 1)]
    for bet in range(len(HORIZONS)):
        total = 0.0
        for value, chance in law:
            after = before.update(value)
            stake, gain, price = (
                getattr(after, name)[bet] - getattr(before, name)[bet]
                for name in ("stakes", "gains", "prices")
            )
            total += chance * math.exp(sign * (gain - mean * stake) - price)
        assert total <= 1 + 1e-9


@pytest.mark.parametrize("law", [[0.02, 0.96, 0.02], [0.3, 0.4, 0.3]])
def test_false_alarms_of_the_test_stay_below_alpha(law):
    rng = np.random.default_rng(1)
    test = BettingTest.against_at_most(0.0, -1, 1)
    alarms = sum(
        test.update_many(rng.choice([-1.0, 0.0, 1.0], 4000, p=law)).crossed(0.05) for _ in range(400)
    )
    assert alarms / 400 < 0.075


def test_difference_of_two_hundredths_is_found_after_about_1300_pairs():
    rng = np.random.default_rng(2)
    test, stops = BettingTest.against_at_most(0.0, -1, 1), []
    for _ in range(300):
        path = test.path(rng.choice(PAIRS[0], 10_000, p=PAIRS[1])) >= math.log(20)
        assert path.any()
        stops.append(int(path.argmax()) + 1)
    assert np.mean(stops) == pytest.approx(1300, abs=170)


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_interval_contains_the_mean_of_a_coin_at_all_times(seed):
    coin = np.random.default_rng(seed).random(1000) < 0.3
    low, high = MeanSequence.start(0, 1).intervals(coin, 1e-6)
    assert np.all((low <= 0.3) & (high >= 0.3))


def test_interval_misses_no_more_often_than_it_may():
    rng = np.random.default_rng(4)
    missed = 0
    for _ in range(200):
        low, high = MeanSequence.start(-1, 1).intervals(rng.choice(PAIRS[0], 1500, p=PAIRS[1]), 0.1)
        missed += bool(np.any((low > 0.02) | (high < 0.02)))
    assert missed <= 20


def test_interval_is_less_than_twice_as_wide_as_one_that_may_be_looked_at_once():
    row = np.random.default_rng(5).choice(PAIRS[0], 100_000, p=PAIRS[1])
    low, high = MeanSequence.start(-1, 1).intervals(row)
    for rows, factor in ((1000, 2.2), (10_000, 1.9), (100_000, 1.8)):
        once = 2 * 1.96 * row[:rows].std() / math.sqrt(rows)
        assert high[rows - 1] - low[rows - 1] < factor * once


def test_interval_before_any_value_is_the_whole_range():
    empty = MeanSequence.start(-2, 1)
    assert empty.interval() == pytest.approx((-2, 1))
    assert empty.mean == -0.5
    assert empty.update_many([]) == empty


def test_value_out_of_its_bounds_is_refused():
    for each in (BettingTest.against_at_most(0, -1, 1), MeanSequence.start(-1, 1)):
        for value in (1.5, -1.5, math.nan):
            with pytest.raises(ValueError, match="outside the bounds"):
                each.update(value)
    for start in (MeanSequence.start, lambda low, high: BettingTest.against_at_least(0, low, high)):
        with pytest.raises(ValueError, match="tell nothing"):
            start(1, 1)


def test_hypothesis_at_the_end_of_the_range_is_refuted_by_any_value_off_it():
    assert BettingTest.against_at_most(0, 0, 1).update_many([0, 1] * 10).crossed(0.05)
