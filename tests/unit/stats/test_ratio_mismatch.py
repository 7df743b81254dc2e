"""Whether traffic goes where it should: a fair bet under the plan, quick to see two points too many."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.stats.ratio_mismatch import RatioMismatch, log_bayes_factor

plans = st.sampled_from([(0.5, 0.5), (0.1, 0.9), (0.05, 0.95), (0.25, 0.75)])
histories = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), plans), max_size=6)


def seen(history):
    test = RatioMismatch.start()
    for one, other, plan in history:
        test = test.update_many([one, other], plan)
    return test


@given(histories, plans, st.integers(1, 5))
def test_expectation_over_the_next_batch_is_the_evidence_of_before(history, plan, batch):
    test, total = seen(history), 0.0
    for first in range(batch + 1):
        chance = math.comb(batch, first) * plan[0] ** first * plan[1] ** (batch - first)
        total += chance * math.exp(test.update_many([first, batch - first], plan).log_e - test.log_e)
    assert total == pytest.approx(1.0, rel=1e-8)


def test_expectation_holds_for_three_arms():
    test, plan = RatioMismatch.start(3).update_many([4, 9, 1], [0.2, 0.5, 0.3]), (0.1, 0.3, 0.6)
    total = 0.0
    for arms in itertools.product(range(3), repeat=3):
        chance = math.prod(plan[arm] for arm in arms)
        total += chance * math.exp(test.update_many(np.bincount(arms, minlength=3), plan).log_e - test.log_e)
    assert total == pytest.approx(1.0, rel=1e-9)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=40), plans)
def test_units_one_by_one_give_what_a_batch_gives_while_the_plan_stays(arms, plan):
    one = RatioMismatch.start()
    for arm in arms:
        one = one.update(arm, plan)
    many = RatioMismatch.start().update_many(np.bincount(arms, minlength=2), plan)
    assert many.counts == one.counts
    assert many.log_e == pytest.approx(one.log_e, abs=1e-8)
    prior = many.concentration * np.array(plan)
    assert log_bayes_factor(many.counts, prior, plan) == pytest.approx(many.log_e, abs=1e-8)


@given(histories)
def test_state_survives_json(history):
    test = seen(history)
    assert RatioMismatch.from_json(json.loads(json.dumps(test.as_json()))) == test


def test_twelve_percent_for_ten_is_found_and_ten_is_not():
    rng = np.random.default_rng(1)
    found = {}
    for share in (0.10, 0.12):
        stops = [first_alarm(rng, share) for _ in range(200)]
        found[share] = (np.mean(np.isfinite(stops)), np.median(stops))
    assert found[0.10][0] <= 0.05
    assert found[0.12] == (1.0, pytest.approx(1900, abs=700))


def first_alarm(rng, share, units=20_000):
    hits, seen = np.cumsum(rng.random(units) < share), np.arange(1, units + 1)
    prior = np.array([0.1, 0.9]) * RatioMismatch.start().concentration
    path = log_bayes_factor(np.stack([hits, seen - hits], axis=-1), prior, [0.1, 0.9])
    return int(np.argmax(path >= math.log(20))) + 1 if path.max() >= math.log(20) else math.inf


def test_ramp_as_planned_raises_no_alarm_and_one_that_sticks_does():
    rng, alarms = np.random.default_rng(2), 0
    for _ in range(200):
        test = RatioMismatch.start()
        for share in (0.05, 0.25, 0.5):
            for _ in range(10):
                hits = int(rng.binomial(200, share))
                test = test.update_many([hits, 200 - hits], [share, 1 - share])
        alarms += test.crossed(0.05)
    assert alarms / 200 <= 0.05
    stuck = RatioMismatch.start().update_many([100, 1900], [0.05, 0.95]).update_many([25, 475], [0.25, 0.75])
    assert stuck.crossed(0.001)


def test_unit_in_an_arm_without_a_share_is_certain_evidence():
    test = RatioMismatch.start().update_many([0, 50], [0.0, 1.0])
    assert test.log_e == 0.0
    wrong = test.update(0, [0.0, 1.0])
    assert wrong.crossed(1e-9)
    assert json.loads(json.dumps(wrong.as_json()))["log_e"] == wrong.log_e


@pytest.mark.parametrize("plan", [(0.5, 0.4), (1.2, -0.2), (0.2, 0.3, 0.5)])
def test_shares_that_are_no_plan_are_refused(plan):
    with pytest.raises(ValueError, match="must sum to 1"):
        RatioMismatch.start().update_many([1] * len(plan), plan)
