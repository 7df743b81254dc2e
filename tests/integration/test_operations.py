"""Figures of operations from a real journal, real counts and real alerts."""

from datetime import UTC, datetime, timedelta

import pytest

from examples import CHARTER
from vitok.journal.ledger import Ledger
from vitok.journal.records import Prediction
from vitok.journal.spool import Spool
from vitok.kernel.clock import VirtualClock
from vitok.loop.alerts import acknowledge, close_alert
from vitok.loop.keep import collect, show_life
from vitok.loop.operations import operations_report
from vitok.loop.outcomes import JOURNAL
from vitok.monitor.alerts import Alert
from vitok.registry import turns
from vitok.registry.windows import load_alerts, save_alert
from vitok.serve.metrics import Metrics
from vitok.store.heartbeat import read_heartbeat
from vitok.wire import open_project

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
SLO = "serve: {slo: {availability: 99%, latency: 95% < 50ms}}\n"
KEY = "01kdvnwg00abcdefghjk"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "vitok.yaml").write_text(CHARTER + SLO)
    return open_project(tmp_path, clock=VirtualClock(NOW))


def answer(project, received, action="model", role="champion", micros=2000, count=1, worker="w"):
    spool = Spool(project.state / JOURNAL, f"{worker}{received.timestamp()}{action}{role}")
    score = ({}, 0.5, None, [], action, "")
    key = f"{received.timestamp()}{action}{role}"
    spool.append(
        [
            Prediction(f"{key}{n}", "u", received, received, 1, "d", role, 1, "w", *score, None, micros, 1)
            for n in range(count)
        ]
    )
    spool.close()


def test_service_and_budgets_come_from_the_journal(project):
    answer(project, NOW - timedelta(days=40), "failed", micros=None, count=50)  # before any period
    answer(project, NOW - timedelta(days=20), count=80)
    answer(project, NOW - timedelta(days=2), count=90)
    answer(project, NOW - timedelta(days=2), "fallback", micros=90_000, count=8)
    answer(project, NOW - timedelta(minutes=2), "failed", micros=None, count=2)
    answer(project, NOW - timedelta(days=2), role="shadow", micros=900_000, count=70)
    answer(project, NOW - timedelta(days=3), count=60, worker="batch-")
    collect(project)
    found = operations_report(project, Ledger(project.lake), WEEK)
    assert found["rows"] == 100
    assert found["availability"] == pytest.approx(0.98)
    assert found["shares"]["fallback"] == pytest.approx(0.08)
    assert found["latency_ms"]["p50"] == pytest.approx(2.0)
    slo = found["slo"]
    assert (slo["over"], slo["availability"]["rows"], slo["availability"]["bad"]) == ("30d", 180, 2)
    assert slo["availability"]["budget_left"] == pytest.approx(1 - 2 / 180 / 0.01)
    assert (slo["latency"]["rows"], slo["latency"]["bad"]) == (178, 8)
    burns = {burn["long"]: burn["too_fast"] for burn in slo["availability"]["burn"]}
    assert burns == {"1h": True, "6h": True, "3d": True}


def test_alerts_and_turns_of_the_period(project):
    opened = NOW - timedelta(days=3)
    with project.engine.begin() as connection:
        save_alert(
            connection, KEY, Alert("drift", "alarm", opened - timedelta(days=1), opened, opened, (), "a", "b")
        )
        for number, day in enumerate((40, 5, 1)):
            started = NOW - timedelta(days=day)
            turns.begin(connection, f"t{number}", now=started, as_of=started, trigger="x", charter="c")
    show_life(project)
    assert read_heartbeat(project.state).alerts == {"drift\talarm\topen": 1}
    project.clock.move_to(NOW + timedelta(hours=1))
    acknowledge(project, KEY, note="", actor="ada")
    project.clock.move_to(NOW + timedelta(hours=5))
    close_alert(project, KEY, note="done", actor="ada")
    with project.engine.connect() as connection:
        assert load_alerts(connection) == {}
    found = operations_report(project, Ledger(project.lake), WEEK)
    hour = 3600
    assert found["alerts"]["mean_seconds_to"] == {
        "detect": 24 * hour,
        "acknowledge": 73 * hour,
        "resolve": 77 * hour,
    }
    assert (found["turns"]["count"], found["turns"]["by_state"]) == (2, {"running": 2})
    assert found["turns"]["per_30_days"] == pytest.approx(2 * 30 / 7)


def test_what_workers_left_is_told(project):
    metrics = Metrics(project.state, "one")
    for status in (200, 200, 500):
        metrics.count_request("models/*/predict", status, 0.02)
    metrics._write()
    answer(project, NOW - timedelta(hours=1))
    server = operations_report(project, Ledger(project.lake), WEEK)["server"]
    assert (server["requests"], server["server_errors"]) == (3, 1)
    assert 10 < server["request_ms"]["p50"] <= 25
    assert server["cpu_seconds"] > 0
    assert server["journal_waiting_bytes"] > 0
    collect(project)
    assert operations_report(project, Ledger(project.lake), WEEK)["server"]["journal_waiting_bytes"] == 0
