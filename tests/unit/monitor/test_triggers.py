from datetime import UTC, datetime, timedelta

import pytest

from vitok.charter.expressions import parse_expression
from vitok.monitor.triggers import Facts, decide_turn
from vitok.stats.estimates import Estimate

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def decide(text, *, cooldown=None, budget=None, **changes):
    facts = {
        "now": NOW,
        "turns": [NOW - timedelta(days=3)],
        "alarms": frozenset(),
        "quality": {"roc_auc": Estimate(0.60, 0.58, 0.62, 1000, "DeLong")},
        "accepted": {"roc_auc": 0.8},
        "new_labels": 0,
    }
    return decide_turn(
        [parse_expression(text)], Facts(**{**facts, **changes}), cooldown=cooldown, budget=budget
    )


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
        ("roc_auc < 0.7", {"quality": {}}, False),
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
