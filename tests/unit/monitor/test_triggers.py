from datetime import UTC, datetime, timedelta

import pytest

from vitok.charter.expressions import parse_expression
from vitok.monitor.triggers import Facts, Guards, decide_turn
from vitok.stats.estimates import Estimate

NOW = datetime(2026, 3, 2, tzinfo=UTC)


LOW = {"roc_auc": Estimate(0.60, 0.58, 0.62, 1000, "DeLong")}
HIGH = {"roc_auc": Estimate(0.80, 0.78, 0.82, 1000, "DeLong")}


def decide(text, *, cooldown=None, budget=None, confirmed=(1, 1), trains_suspect=False, **changes):
    facts = {
        "now": NOW,
        "turns": [NOW - timedelta(days=3)],
        "alarms": frozenset(),
        "quality": [LOW],
        "accepted": {"roc_auc": 0.8},
        "new_labels": 1,
    }
    guards = Guards(cooldown, budget, confirmed, trains_suspect)
    return decide_turn([parse_expression(text)], Facts(**{**facts, **changes}), guards)


@pytest.mark.parametrize(
    ("text", "changes", "starts"),
    [
        ("drift", {}, False),
        ("drift", {"alarms": frozenset({"drift"})}, True),
        ("quality", {"alarms": frozenset({"drift"})}, False),
        ("schedule(daily)", {}, True),
        ("schedule(weekly)", {}, False),
        ("schedule(weekly)", {"turns": []}, True),
        ("schedule(monthly)", {}, True),
        ("schedule(monthly)", {"turns": [NOW - timedelta(hours=1)]}, False),
        ("labels >= 10", {"new_labels": 9}, False),
        ("labels >= 10", {"new_labels": 10}, True),
        ("roc_auc < 0.95 * accepted", {}, True),
        ("roc_auc < 0.7 * accepted", {}, False),
        ("roc_auc < 0.7", {"quality": []}, False),
        ("estimated roc_auc < 0.7", {}, False),
        ("estimated roc_auc < 0.7", {"estimated": [LOW]}, True),
        ("new_data", {}, False),
        ("new_data", {"changed": frozenset({"new_data"})}, True),
        ("charter", {"changed": frozenset({"new_data"})}, False),
        ("libraries", {"changed": frozenset({"libraries"})}, True),
        ('schedule("0 6 * * mon")', {}, False),  # Friday to Monday midnight
        ('schedule("0 6 * * sun")', {}, True),
        ('schedule("*/5 * * * *")', {"turns": []}, True),
        ("roc_auc < 0.95 * accepted", {"accepted": {}}, False),
    ],
)
def test_trigger_holds_when_it_says(text, changes, starts):
    decision = decide(text, **changes)
    assert decision.start == starts
    assert bool(decision.reason) == starts


def test_cooldown_and_budget_hold_a_turn_back_and_say_so():
    alarm = {"alarms": frozenset({"drift"})}
    held = decide("drift", cooldown=timedelta(days=7), **alarm)
    assert not held.start
    assert "7d" in held.reason
    assert decide("drift", cooldown=timedelta(days=3), **alarm).start
    held = decide("drift", budget=(1, timedelta(days=30)), **alarm)
    assert not held.start
    assert "budget" in held.reason
    assert decide("drift", budget=(1, timedelta(days=3)), **alarm).start


def test_comparison_must_hold_in_enough_of_the_last_windows():
    asked = {"text": "roc_auc < 0.7", "confirmed": (2, 3)}
    assert not decide(**asked).start
    assert not decide(**asked, quality=[LOW, HIGH, HIGH]).start
    assert decide(**asked, quality=[HIGH, LOW, LOW]).start
    assert not decide(**asked, quality=[LOW, HIGH, HIGH, LOW]).start


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"releasing": 3}, "version 3 is being released"),
        ({"new_labels": 0}, "nothing new to learn"),
        ({"suspect": ["temp"]}, "temp looks broken"),
    ],
)
def test_turn_is_held_back_and_the_reason_names_trigger_and_guard(changes, why):
    held = decide("schedule(daily)", **changes)
    assert not held.start
    assert held.reason.startswith("schedule(1d); but ")
    assert why in held.reason
    assert held.triggers == ("schedule(1d)",)


def test_what_nobody_counts_or_the_charter_allows_holds_nothing_back():
    assert decide("schedule(daily)", new_labels=None).start
    assert decide("new_data", new_labels=0, changed=frozenset({"new_data"})).start
    assert decide("schedule(daily)", suspect=["temp"], trains_suspect=True).start
