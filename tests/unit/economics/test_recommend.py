"""Advice on policies: found where there is a gain, silent where there is none, and as sure as it says."""

import numpy as np
import pytest

from vitok.economics.recommend import Tried, recommend, worth

WEEKS = [f"2013-{week:02}" for week in range(1, 45)]


def policy(name, values, turns):
    return Tried(name, dict(zip(WEEKS, values, strict=False)), turns)


def test_interval_covers_the_truth_as_often_as_it_says_though_weeks_are_alike():
    rng, hits, runs = np.random.default_rng(1), 0, 300
    for _ in range(runs):
        noise = rng.normal(0, 1, len(WEEKS) + 1)
        alike = noise[1:] + 0.5 * noise[:-1]
        found = worth(dict(zip(WEEKS, 1 + alike, strict=True)), dict.fromkeys(WEEKS, 0.0), money=False)
        hits += found.low <= 1 <= found.high
    assert 0.78 <= hits / runs <= 0.95  # 90 % wished for; blocks of 44 weeks cover a little less


def test_money_of_weeks_is_told_for_a_year():
    found = worth(dict.fromkeys(WEEKS, 110.0), dict.fromkeys(WEEKS, 10.0), money=True)
    assert found.value == pytest.approx(100 * 365.25 / 7)
    assert (found.low, found.high) == (pytest.approx(found.value), pytest.approx(found.value))


def test_fewer_turns_win_where_the_rest_may_be_chance():
    rng = np.random.default_rng(2)
    season = rng.normal(1000, 200, len(WEEKS))
    never = policy("never", season, 0)
    monthly = policy("monthly", season + 500 + rng.normal(0, 80, len(WEEKS)), 10)
    drift = policy("on(drift)", season + 495 + rng.normal(0, 80, len(WEEKS)), 3)
    found = recommend([never, monthly, drift], unit="roc_auc", money=True)
    assert (found.base, found.policy) == ("never", "on(drift)")
    assert found.share > 0.9
    assert "with 3 turns" in found.sentence
    assert found.sentence.endswith("Choose on(drift).")


def test_a_gain_that_may_be_chance_changes_nothing_and_a_sure_one_does():
    rng = np.random.default_rng(3)
    never = policy("never", rng.normal(0, 100, len(WEEKS)), 0)
    unsure = policy("weekly", rng.normal(5, 100, len(WEEKS)), 40)
    assert recommend([never, unsure], unit="roc_auc", money=True).policy == "never"
    sure = policy("weekly", [value + 50 for value in never.weeks.values()], 40)
    assert recommend([never, sure], unit="roc_auc", money=True).policy == "weekly"
    worse = policy("weekly", [value - 50 for value in never.weeks.values()], 40)
    found = recommend([never, worse], unit="roc_auc", money=True)
    assert found.sentence == "No policy did better than never, which took 0 turns: keep it."


def test_too_few_weeks_give_no_interval_and_one_policy_no_advice():
    few = [policy("never", [1, 2, 3], 0), policy("weekly", [2, 3, 4], 3)]
    found = recommend(few, unit="roc_auc", money=False)
    assert found.worth["weekly"].low is None
    assert "too few for an interval" in found.sentence
    assert recommend(few[:1], unit="roc_auc", money=False) is None
    assert recommend([few[0], policy("empty", [], 0)], unit="roc_auc", money=False) is None
