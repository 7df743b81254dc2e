"""Which risks are happening, by what watches them."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from vitok.charter.load import load_charter
from vitok.errors import CharterMistake
from vitok.loop.risks import project_risks
from vitok.monitor.alerts import Alert
from vitok.registry import versions
from vitok.registry import windows as remembered
from vitok.store.db import open_database

DAY, NOW = timedelta(days=1), datetime(2026, 3, 1, tzinfo=UTC)
CHARTER = """\
project: late
goal: {{statement: Warn early}}
task: {{type: binary, target: late, id: flight, time: departure, label_delay: 8h}}
data: {{sources: {{flights: flights.parquet}}}}
accept: ["roc_auc>=0.70", roc_auc > baseline]
risks:
{risks}
"""
WATCHERS = {
    "R1": "gate(roc_auc >= 0.7)",
    "R2": "alert(quality)",
    "R3": "alert(drift)",
    "R4": "alert(drift.temp)",
    "R5": "alert(missing.temp)",
    "R6": None,
}


def charter(watchers):
    line = "  - {{id: {}, what: it happens, kind: technical, likelihood: low, impact: high{}}}"
    lines = [line.format(i, "" if w is None else f", watched_by: {w}") for i, w in watchers.items()]
    return load_charter(CHARTER.format(risks="\n".join(lines)))


@pytest.fixture
def project(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 's.sqlite'}")
    yield SimpleNamespace(engine=engine, document=(document := charter(WATCHERS)), charter=document.charter)
    engine.dispose()


def states(project):
    return {risk["id"]: risk["state"] for risk in project_risks(project)["risks"]}


def judge(project, digest, *, passed, name="roc_auc >= 0.7", day=0):
    gates = [{"name": name, "passed": passed, "reason": "roc_auc 0.6 misses 0.7"}]
    with project.engine.begin() as connection:
        values = {"verdict": "accepted" if passed else "refused", "metrics": {}, "summary": {}}
        versions.register(connection, digest=digest, created=NOW + day * DAY, turn="t", gates=gates, **values)


def finding(column, *, alarm, missing=0.0):
    lost = missing > 0.1
    return {
        "column": column,
        "status": "moved" if alarm else "quiet",
        "missing_changed": lost,
        "missing_then": 0.0,
        "missing_now": missing,
    } | {"sentence": f"{column} moved."}


def window(project, day, *findings, quality=None):
    with project.engine.begin() as connection:
        remembered.save_window(
            connection,
            start=NOW + day * DAY,
            end=NOW + (day + 1) * DAY,
            state="final",
            rows=100,
            labelled=100,
            version=1,
            drift=list(findings),
            quality=quality or {},
            details={},
        )


def alert(project, kind, *what, severity="alarm", since=0, last=1):
    found = Alert(
        kind, severity, NOW + since * DAY, NOW + (since + 1) * DAY, NOW + last * DAY, what, "Moved.", "Look."
    )
    with project.engine.begin() as connection:
        remembered.save_alert(connection, f"{kind}{since}", found)


def test_before_anything_was_judged_nothing_is_known(project):
    expected = dict.fromkeys(WATCHERS, "not judged yet") | {"R6": "nobody watches it"}
    assert states(project) == expected


def test_gate_fires_while_the_last_verdicts_fail_it(project):
    judge(project, "a", passed=True)
    assert states(project)["R1"] == "quiet"
    judge(project, "b", passed=False, day=1, name="roc_auc >= 0.70")
    judge(project, "c", passed=False, day=2)
    first = project_risks(project)["risks"][0]
    assert (first["id"], first["state"], first["since"]) == ("R1", "happening", "2026-03-02T00:00:00Z")
    assert first["message"] == "version 3: roc_auc 0.6 misses 0.7"
    judge(project, "d", passed=True, day=3)
    assert states(project)["R1"] == "quiet"


def test_gate_on_a_number_fires_when_production_breaks_it_for_certain(project):
    judge(project, "a", passed=True)
    window(project, 0, quality={"roc_auc": {"value": 0.66, "low": 0.6, "high": 0.72}})
    assert states(project)["R1"] == "quiet"
    window(project, 1, quality={"roc_auc": {"value": 0.6, "low": 0.55, "high": 0.65}})
    first = project_risks(project)["risks"][0]
    assert (first["id"], first["state"], first["since"]) == ("R1", "happening", "2026-03-02T00:00:00Z")
    assert "breaks `roc_auc >= 0.7`" in first["message"]


def test_alerts_fire_by_kind_and_a_notice_only_for_its_column(project):
    window(project, 0, finding("temp", alarm=True), finding("wind", alarm=False))
    window(project, 1, finding("temp", alarm=True), finding("wind", alarm=False))
    assert {states(project)[risk] for risk in ("R2", "R3", "R4", "R5")} == {"quiet"}
    alert(project, "drift", "temp", severity="notice")
    found = {risk["id"]: risk for risk in project_risks(project)["risks"]}
    assert [found[risk]["state"] for risk in ("R3", "R4", "R5")] == ["quiet", "happening", "quiet"]
    assert (found["R4"]["since"], found["R4"]["message"]) == ("2026-03-01T00:00:00Z", "temp moved.")


def test_missing_values_fire_only_while_they_are_missing(project):
    window(project, 0, finding("temp", alarm=True))
    window(project, 1, finding("temp", alarm=True, missing=0.4))
    alert(project, "drift", "temp")
    alert(project, "quality", "roc_auc", since=1)
    found = {risk["id"]: risk for risk in project_risks(project)["risks"]}
    assert {found[risk]["state"] for risk in ("R2", "R3", "R4", "R5")} == {"happening"}
    assert found["R4"]["since"] == "2026-03-01T00:00:00Z"
    assert found["R5"]["since"] == "2026-03-02T00:00:00Z"


def test_happening_risks_come_first_whatever_their_score(project):
    judge(project, "a", passed=False)
    rows = project_risks(project)["risks"]
    assert [row["score"] for row in rows] == [3] * 6
    assert rows[0]["id"] == "R1"
    assert rows[-1]["state"] == "nobody watches it"


def test_watcher_that_is_no_gate_of_the_charter_is_a_mistake_with_its_place():
    with pytest.raises(CharterMistake, match="no gate of accept") as caught:
        charter({"R1": "gate(f1 > 0.5)"})
    assert caught.value.place.startswith("vitok.yaml:7")
