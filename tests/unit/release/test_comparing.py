"""Designs of A/B tests: textbook sizes, what a horizon allows to find, and warnings that name the way out."""

import math
from datetime import timedelta
from typing import Any

import pytest

from vitok.charter.releasing import Comparison, Exposure, Guard, Release
from vitok.release.comparing import Question, design, told, warnings
from vitok.release.stoprules import stop_rules

USUAL: dict[str, Any] = {
    "mean": 0.1,
    "deviation": None,
    "effect": 0.02,
    "span": 1.0,
    "share": 0.5,
    "alpha": 0.05,
    "power": 0.8,
    "units_per_day": 1000.0,
    "horizon_days": 14.0,
    "delay_days": 0.0,
    "reading": "horizon",
}


def question(**changes: Any) -> Question:
    return Question(**(USUAL | changes))


def test_ten_per_cent_against_twelve_takes_the_textbook_size():
    found = design(question())
    assert found.horizon.champion == found.horizon.challenger == 3841  # Fleiss: 3 841 in each arm
    assert found.horizon.days == pytest.approx(7.682)
    assert found.chosen == found.horizon


def test_half_a_deviation_takes_63_in_each_arm():
    found = design(question(mean=5.0, deviation=2.0, effect=1.0, span=20.0))
    assert found.horizon.champion == 63


def test_looking_costs_units_and_saves_time():
    found = design(question(reading="always"))
    assert found.chosen == found.always
    assert 1 < found.looks.inflation < 1.1 < found.always.inflation < 2.5
    assert found.looks.mean_units < found.horizon.champion * 2
    assert found.always.mean_days < found.always.days


def test_smallest_effect_is_the_one_that_fills_the_horizon():
    found = design(question())
    assert found.smallest is not None
    again = design(question(effect=found.smallest))
    assert again.horizon.days == pytest.approx(14, abs=0.01)
    assert found.smallest < 0.02
    longer = design(question(horizon_days=28.0))
    assert longer.smallest is not None
    assert longer.smallest < found.smallest


def test_outcomes_that_come_late_leave_fewer_units():
    prompt, late = design(question()), design(question(delay_days=7.0))
    assert prompt.smallest is not None
    assert late.smallest is not None
    assert late.smallest == pytest.approx(prompt.smallest * math.sqrt(2), rel=0.05)
    assert late.horizon.days == prompt.horizon.days + 7


def test_uneven_shares_take_more_units():
    sizes = [design(question(share=share)).horizon for share in (0.1, 0.25, 0.5)]
    totals = [size.champion + size.challenger for size in sizes]
    assert totals == sorted(totals, reverse=True)
    assert sizes[0].challenger == pytest.approx(totals[0] / 10, abs=1)


def said(**changes: Any) -> str:
    asked = question(**changes)
    return " ".join(warnings(asked, design(asked)))


def test_good_design_needs_no_warning():
    assert said() == ""


def test_short_horizon_names_the_effect_that_it_allows():
    text = said(horizon_days=7.0, effect=0.01)
    assert "The horizon of 7 days is too short: the effect takes 30 days." in text
    assert "In whole weeks it takes 35 days." in text
    assert "percentage points" in text


def test_part_of_a_week_is_told_with_the_whole_one():
    assert "10 days are not whole weeks" in said(horizon_days=10.0)
    assert "Take 14 days." in said(horizon_days=10.0)


def test_delay_that_eats_the_horizon_is_told():
    assert "units count on 9 of 14 days only" in said(delay_days=5.0)
    assert "not one is due in time" in said(delay_days=14.0)
    assert design(question(delay_days=20.0)).smallest is None


def test_differences_are_told_in_the_unit_of_the_metric():
    assert told(question(), 0.02) == "2 percentage points (20.0% of the champion's)"
    assert told(question(mean=5.0, deviation=1.0), 0.02) == "0.02"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"effect": 0.0}, "above 0"),
        ({"units_per_day": math.inf}, "above 0"),
        ({"mean": 0.0}, "nothing to compare"),
        ({"effect": 0.95}, "no rate below 100"),
        ({"deviation": 0.0}, "same value"),
        ({"share": 1.0}, "share, alpha and power"),
        ({"power": 0.04}, "power is above alpha"),
    ],
)
def test_figures_out_of_range_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        question(**changes)


def test_each_limit_of_the_charter_is_a_rule_with_its_part_of_alpha():
    guard = Guard(conversion="15%", latency_p95=timedelta(milliseconds=500), quality=0.02, profit=0.5)
    rules = stop_rules(Release(guard=guard, alpha=0.06, ab=Comparison()))
    limits = rules[:6]
    assert [rule.name for rule in limits] == [
        "errors", "latency", "quality", "profit", "conversion", "latency_p95"
    ]  # fmt: skip
    assert [rule.limit for rule in limits] == ["1.5x", "2x", "0.02", "0.5", "15%", "500ms"]
    assert all(rule.alpha == pytest.approx(0.01) for rule in limits)
    assert "15% fewer or more" in limits[4].sentence
    assert [rule.name for rule in rules[6:]] == ["split", "trouble"]


def test_budget_of_harm_is_a_rule_and_limits_may_be_left_out():
    guard = Guard(errors=None, latency=None)
    rules = stop_rules(Release(guard=guard, exposure=Exposure(budget=2000, per_answer=1.5)))
    assert [rule.name for rule in rules] == ["split", "exposure", "trouble"]
    assert "1,333 answers" in rules[1].sentence


def test_every_limit_has_its_words():
    named = set(Guard.model_fields) - {"negligible"}
    values = {"errors": 1.5, "latency": 1.5, "latency_p95": timedelta(seconds=1)}
    guard = Guard.model_construct(**{name: values.get(name, 0.1) for name in named}, negligible=0.005)
    rules = stop_rules(Release.model_construct(guard=guard, alpha=0.05, exposure=None))
    assert {rule.name for rule in rules} == named | {"split", "trouble"}
