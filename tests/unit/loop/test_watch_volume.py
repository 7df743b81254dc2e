"""Windows without rows, outcomes that stop, and floods, as `vitok watch` sees them."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from probes import flights, with_reference
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.loop.watch import watch
from vitok.registry import versions
from vitok.registry import windows as remembered
from vitok.wire import open_project

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
CHARTER = """\
project: flights
goal: {statement: Warn early}
task: {type: binary, target: late, id: flight, time: departure, label_delay: 4h}
data: {sources: {flights: flights.csv}}
accept: [roc_auc > baseline]
"""
ACCEPTED = {"roc_auc": {"value": 0.7, "low": 0.65, "high": 0.75}}


class Setting:
    """A project with one version, whose days are alike but for quiet Saturdays."""

    def __init__(self, folder, ends=None):
        (folder / "vitok.yaml").write_text(CHARTER)
        self.clock, self.journal = VirtualClock(START), MemoryLedger(ends)
        self.project = open_project(folder, clock=self.clock)
        self.digest = with_reference(self.project.blobs)
        with self.project.engine.begin() as connection:
            facts = {"created": START, "turn": "t1", "verdict": "accepted", "gates": [], "summary": {}}
            versions.register(connection, digest=self.digest, metrics=ACCEPTED, **facts)

    def day(self, number, rows=None, outcomes=True):
        """One more day; returns what watching says after it."""
        count = (40 if number % 7 == 5 else 120) if rows is None else rows
        if count:
            times = [START + number * DAY + place * DAY / count for place in range(count)]
            ids = [f"{number}-{place}" for place in range(count)]
            inputs = [
                pl.DataFrame([row]).select(pl.struct(pl.all()).struct.json_encode()).item()
                for row in flights(20, seed=number)
            ]
            self.journal.append_predictions(
                pl.DataFrame(
                    {
                        "id": ids,
                        "time": times,
                        "version": 1,
                        "digest": self.digest,
                        "role": "champion",
                        "action": "model",
                        "score": [0.2 + 0.5 * place / count for place in range(count)],
                        "micros": 400,
                        "decision": "false",
                        "inputs": [inputs[place % 20] for place in range(count)],
                    }
                )
            )
            if outcomes:
                known = [time + timedelta(minutes=1) for time in times]
                values = [json.dumps(place % 3 == 0) for place in range(count)]
                self.journal.append_outcomes(pl.DataFrame({"id": ids, "value": values, "time": known}))
        self.clock.move_to(START + (number + 1) * DAY)
        return [alert for alert in watch(self.project, self.journal).open.values() if alert.kind == "volume"]


@pytest.fixture
def setting(tmp_path):
    found = Setting(tmp_path)
    for number in range(21):
        assert found.day(number) == []
    yield found
    found.project.engine.dispose()


def test_traffic_that_stops_is_an_alarm_and_ends_when_it_comes_back(setting):
    (alert,) = setting.day(21, rows=0)
    assert (alert.severity, alert.runbook) == ("alarm", "volume-volume")
    assert alert.what == ("fewer predictions", "fewer outcomes")
    assert "predictions: none, usual for windows of this weekday and hour are about 120" in alert.sentence
    assert "retraining does not help" in alert.remedy
    (later,) = setting.day(22, rows=0)
    assert later.opened == alert.opened
    with setting.project.engine.connect() as connection:
        empty = remembered.all_windows(connection)[-1]
    assert (empty["rows"], empty["version"], empty["state"]) == (0, 1, "maturing")
    assert setting.day(23) == []


def test_outcomes_that_stop_while_predictions_go_on_are_an_alarm(setting):
    (alert,) = setting.day(21, outcomes=False)
    assert alert.what == ("fewer outcomes",)
    assert "outcomes: none" in alert.sentence


def test_five_times_the_traffic_is_an_alarm(setting):
    (alert,) = setting.day(21, rows=600)
    assert alert.what[0] == "more predictions"
    assert "predictions: 600" in alert.sentence


def test_rows_that_come_after_an_empty_window_was_seen_are_still_judged(setting):
    setting.day(21, rows=0)
    setting.day(21)  # the same day again, now with its rows
    with setting.project.engine.connect() as connection:
        window = remembered.all_windows(connection)[-1]
    assert (window["rows"], window["state"]) == (120, "maturing")
    assert window["drift"]
    assert window["details"]["volume"][0]["count"] == 0


def test_a_journal_that_has_ended_is_no_outage(tmp_path):
    setting = Setting(tmp_path, ends=START + 21 * DAY)
    for number in range(24):
        found = setting.day(number, rows=None if number < 21 else 0)
    assert found == []
    setting.project.engine.dispose()
