from datetime import UTC, datetime, timedelta

import pytest

from vitok.monitor.handling import Handling, reminder_due

NOW = datetime(2026, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def test_state_is_what_people_did_last():
    assert Handling().state(is_open=True, now=NOW) == "open"
    taken = Handling(acknowledged=NOW, acknowledged_by="ada")
    assert taken.state(is_open=True, now=NOW) == "acknowledged"
    assert Handling(snoozed=NOW + HOUR).state(is_open=True, now=NOW) == "snoozed"
    assert Handling(snoozed=NOW).state(is_open=True, now=NOW) == "open"
    assert taken.state(is_open=False, now=NOW) == "resolved"


def test_who_took_a_notice_on_has_not_seen_the_alarm_that_it_became():
    taken = Handling(acknowledged=NOW, acknowledged_by="ada")
    assert taken.state(is_open=True, now=NOW + DAY, opened=NOW - DAY) == "acknowledged"
    assert taken.state(is_open=True, now=NOW + DAY, opened=NOW + HOUR) == "open"


@pytest.mark.parametrize(
    ("told", "state", "severity", "due"),
    [
        (NOW - DAY, "open", "alarm", NOW),
        (NOW - DAY + HOUR, "open", "alarm", None),
        (NOW - 2.5 * DAY, "open", "alarm", NOW - DAY / 2),
        (NOW + HOUR, "open", "alarm", None),  # a clock that was set back
        (None, "open", "alarm", NOW),
        (None, "open", "notice", None),
        (NOW - DAY, "acknowledged", "alarm", None),
        (NOW - DAY, "snoozed", "alarm", None),
    ],
)
def test_reminder_is_due_after_a_period_for_an_open_alarm_alone(told, state, severity, due):
    assert reminder_due(told, state, severity, DAY, NOW) == due
