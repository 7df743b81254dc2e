"""Which signals open incidents, which join one, and when it is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vitok.charter.incidents import Incidents, Severities
from vitok.monitor.incidents import (
    Incident,
    Signal,
    freezing,
    may_roll_back,
    mean_times,
    next_steps,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = Incidents()


def alarm(name="a1", cause="quality", kind="quality", at=NOON, over=None):
    return Signal(("alert", name), cause, kind, f"{kind}!", f"{kind} moved", at - HOUR, at, over)


def incident(**changes):
    made = Incident(3, "quality", "quality", "high", "quality!", "vitok", NOON - HOUR, NOON)
    return replace(made, **changes)


def steps(signals, pending=(), seen=(), rules=RULES):
    return next_steps(signals, pending, set(seen), rules, "vitok")


def test_alarm_opens_one_incident_of_the_charters_severity():
    (step,) = steps([alarm()], rules=Incidents(severity=Severities(quality="critical")))
    assert step.happened == ("opened",)
    assert (step.incident.severity, step.incident.began, step.incident.detected) == (
        "critical",
        NOON - HOUR,
        NOON,
    )


def test_signal_that_is_written_down_changes_nothing_more():
    assert steps([alarm()], [incident()], [("alert", "a1")]) == []


def test_second_signal_of_a_cause_joins_the_open_incident():
    (step,) = steps([alarm(), alarm("a2")], [incident()], [("alert", "a1")])
    assert (step.incident.number, step.happened) == (3, ())
    assert [signal.source for signal in step.fresh] == [("alert", "a2")]


def test_causes_have_incidents_of_their_own():
    found = steps([alarm(), alarm("d", "drift", "drift"), alarm("s", "security:ada", "security")])
    assert {step.incident.cause for step in found} == {"quality", "drift", "security:ada"}


def test_incident_recovers_when_all_its_signals_are_over():
    ended = alarm(over=NOON + HOUR)
    assert steps([ended, alarm("a2")], [incident()], [("alert", "a1"), ("alert", "a2")]) == []
    (step,) = steps([ended], [incident()], [("alert", "a1")])
    assert (step.happened, step.incident.recovered) == (("recovered",), NOON + HOUR)
    assert step.incident.state == "recovered"


def test_incident_that_was_over_before_anybody_looked_opens_and_recovers_at_once():
    (step,) = steps([alarm(over=NOON)])
    assert step.happened == ("opened", "recovered")


def test_trouble_that_comes_back_before_it_is_closed_goes_on_as_the_same_incident():
    known = incident(recovered=NOON + HOUR)
    again = alarm("a2", at=NOON + 2 * HOUR)
    (step,) = steps([alarm(over=NOON + HOUR), again], [known], [("alert", "a1")])
    assert (step.incident.number, step.happened, step.incident.recovered) == (3, ("came back",), None)


def test_trouble_that_comes_back_after_a_quiet_week_is_another_incident():
    known = incident(recovered=NOON + HOUR)
    again = alarm("a2", at=NOON + timedelta(days=9))
    (step,) = steps([alarm(over=NOON + HOUR), again], [known], [("alert", "a1")])
    assert (step.incident.number, step.happened) == (0, ("opened",))
    assert step.incident.began == again.began
    newer = incident(number=4, began=again.began, detected=again.detected)
    seen = [("alert", "a1"), ("alert", "a2")]
    assert steps([alarm(over=NOON + HOUR), again], [known, newer], seen) == []


def test_closed_incident_is_not_opened_again_by_the_alarm_that_it_was_about():
    assert steps([alarm()], [], [("alert", "a1")]) == []


def test_charter_may_close_what_has_recovered():
    (step,) = steps([alarm(over=NOON + HOUR)], [incident()], [("alert", "a1")], Incidents(close="by_itself"))
    assert step.happened == ("recovered", "closed")
    assert (step.incident.closed_by, step.incident.state) == ("vitok", "closed")


@pytest.mark.parametrize(
    ("changes", "latest", "is_back", "may"),
    [
        ({}, NOON - 2 * HOUR, False, True),
        ({}, NOON - HOUR / 2, False, False),  # it began before the latest release
        ({}, NOON - 2 * HOUR, True, False),  # the latest release is a rollback itself
        ({}, None, False, False),
        ({"kind": "drift"}, NOON - 2 * HOUR, False, False),
        ({"recovered": NOON}, NOON - 2 * HOUR, False, False),
    ],
)
def test_rolling_back_is_first_aid_only_where_the_latest_release_may_be_the_cause(
    changes, latest, is_back, may
):
    rules = Incidents(first_aid=["rollback"])
    assert may_roll_back(incident(**changes), rules, latest=latest, is_back=is_back) is may
    assert not may_roll_back(incident(**changes), RULES, latest=latest, is_back=is_back)


def test_only_what_is_grave_enough_and_goes_on_freezes_releases():
    pending = [
        incident(number=1, severity="medium"),
        incident(number=2, severity="high"),
        incident(number=3, severity="critical"),
        incident(number=4, severity="critical", recovered=NOON),
    ]
    assert [each.number for each in freezing(pending, Incidents(freeze="high"))] == [3, 2]
    assert freezing(pending, RULES) == []


def test_mean_times_are_of_what_is_known():
    assert mean_times([]) == {"detect": None, "recover": None}
    found = mean_times([incident(), incident(recovered=NOON + 3 * HOUR)])
    assert found == {"detect": 3600.0, "recover": 3 * 3600.0}
