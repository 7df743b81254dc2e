"""What people do about alerts on the command line, and what operations print."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from commands import edit
from vitok.govern import audit
from vitok.monitor.alerts import Alert
from vitok.registry.windows import save_alert
from vitok.wire import open_project

DAY = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, SECOND = "01kdvnwg00aaaaaaaaaa", "01kdvnwg00bbbbbbaaaa"


@pytest.fixture
def project(drafted):
    opened = open_project(drafted)
    with opened.engine.begin() as connection:
        for key, severity in [(FIRST, "alarm"), (SECOND, "notice")]:
            start = DAY + timedelta(days=severity == "notice")
            sentence = f"mean radius <{severity}> moved."
            alert = Alert("drift", severity, start, start, start, ("mean radius",), sentence, "Look.")
            save_alert(connection, key, alert)
    return drafted


def test_alert_is_listed_shown_acknowledged_snoozed_and_closed(vitok, project):
    listed = vitok("alerts", "--project", project).json
    assert [each["id"] for each in listed["alerts"]] == [SECOND, FIRST]
    assert listed["open"] == 2
    shown = vitok("alerts", "show", listed["alerts"][1]["short"], "--project", project).json
    assert (shown["id"], shown["state"], shown["told"]) == (FIRST, "open", [])
    done = vitok(
        "alerts", "ack", FIRST[-12:], "--note", "asked the ward", "--as", "ada", "--project", project
    ).json
    assert (done["state"], done["acknowledged_by"], done["note"]) == ("acknowledged", "ada", "asked the ward")
    again = vitok("alerts", "ack", FIRST, "--as", "bob", "--project", project).json
    assert (again["acknowledged_by"], again["acknowledged"]) == ("ada", done["acknowledged"])
    slept = vitok("alerts", "snooze", SECOND.upper(), "--for", "3d", "--project", project).json
    assert slept["state"] == "snoozed"
    text = vitok("alerts", "--project", project, as_json=False).out
    assert "acknowledged by ada" in text
    assert "snoozed until" in text
    status = vitok("status", "--project", project)
    assert [each["state"] for each in status.json["alerts"]] == ["acknowledged", "snoozed"]
    assert "ALARM (acknowledged by ada)" in vitok("status", "--project", project, as_json=False).out
    closed = vitok(
        "alerts", "resolve", FIRST, "--note", "new scanner", "--as", "ada", "--project", project
    ).json
    assert (closed["state"], closed["closed_by"], closed["note"]) == ("resolved", "ada", "new scanner")
    assert [each["id"] for each in vitok("alerts", "--project", project).json["alerts"]] == [SECOND]
    assert len(vitok("alerts", "--all", "--project", project).json["alerts"]) == 2
    engine = open_project(project).engine
    with engine.connect() as connection:
        assert audit.verify(connection) is None
        assert audit.count(connection) >= 4


def test_bad_names_and_words_are_told(mistake, project):
    mistake("alerts", "show", "zzzz", "--project", project, says=("does not exist", "Open: "))
    mistake("alerts", "show", "aaa", "--project", project, says=("too short",))
    mistake("alerts", "ack", "aaaa", "--project", project, says=("fits 2", FIRST, SECOND))
    mistake("alerts", "ack", "01kd", "--project", project, says=("fits 2",))
    mistake("alerts", "snooze", FIRST, "--for", "soon", "--project", project, says=("--for", "soon"))
    mistake("alerts", "snooze", FIRST, "--for", "1y", "--project", project, says=("3d",))
    mistake("alerts", "snooze", FIRST, "--for", "0s", "--project", project, says=("3d",))
    mistake("alerts", "resolve", FIRST, "--project", project, says=("--note",))
    mistake("alerts", "resolve", FIRST, "--note", "  ", "--project", project, says=("says nothing",))
    mistake("alerts", "ack", FIRST, "--note", "x" * 3000, "--project", project, says=("3000",))


def test_what_is_over_cannot_be_acknowledged(vitok, mistake, project):
    assert vitok("alerts", "resolve", FIRST, "--note", "done", "--project", project).code == 0
    mistake("alerts", "ack", FIRST, "--project", project, says=("ended on",))
    mistake("alerts", "resolve", FIRST, "--note", "again", "--project", project, says=("ended on",))


def test_operations_of_a_project_without_rows(vitok, mistake, project):
    edit(
        project,
        lambda charter: charter.update(serve={"slo": {"availability": "99.5%", "latency": "95% < 50ms"}}),
    )
    found = vitok("operations", "--project", project).json
    assert (found["rows"], found["availability"]) == (0, None)
    assert found["slo"]["latency"]["budget_left"] == 1.0
    assert found["alerts"]["opened"] == 0  # they are older than a week
    text = vitok("operations", "--over", "9y", "--project", project, as_json=False).out
    assert "Alerts: 2 opened, 2 of them open" in text
    assert "budget left" in text
    for over in ("0s", "week", "11y"):
        mistake("operations", "--over", over, "--project", project, says=("--over",))


def test_rules_and_dashboard_are_written_for_the_project(vitok, mistake, project, tmp_path):
    rules, board = tmp_path / "rules.yml", tmp_path / "board.json"
    assert vitok("export", "prometheus", "--project", project, "-o", rules).code == 0
    assert yaml.safe_load(rules.read_text())["groups"][0]["name"] == "vitok-cancer"
    assert vitok("export", "grafana", "--project", project, "-o", board).code == 0
    assert json.loads(board.read_text())["title"] == "Vitok: cancer"
    mistake("export", "prometheu", "--project", project, says=("prometheus",))
    mistake("export", "grafana", "--project", tmp_path / "nowhere")
