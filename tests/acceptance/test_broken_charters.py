"""Charters with a mistake in them: `vitok check` names the place, what is wrong, what to do, and how bad it is."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from vitok.cli.app import build

CHARTER = """\
project: cancer
goal: {statement: Find malignant tumours early, kpi: {name: missed, base: 0.2, target: 0.1, metric: recall}}
task: {type: binary, target: diagnosis, positive: malignant, id: patient}
data: {sources: {data: cancer.csv}, split: {test: 40%}}
accept:
  - roc_auc > baseline
  - roc_auc >= champion - 0.05
  - latency_p50_ms <= 50ms
decide: {costs: {tp: 500, fp: -50, fn: -500, tn: 0}}
monitor: {window: 1d}
retrain: {on: [drift], cooldown: 7d}
risks:
  - {id: R1, what: the scanner is replaced, kind: technical, likelihood: low, impact: high, watched_by: alert(drift)}
  - {id: R2, what: nobody trusts it, kind: business, likelihood: low, impact: high}
  - {id: R3, what: two people know it, kind: resource, likelihood: low, impact: high}
  - {id: R4, what: decisions feed back into labels, kind: technical, likelihood: low, impact: high}
team: {ada: [data_scientist]}
"""

BROKEN = {
    "misspelt key": (
        "monitor:",
        "monitr:",
        "vitok.yaml:10:1 monitr",
        "unknown key 'monitr'",
        "Did you mean 'monitor'?",
    ),
    "missing key": (
        "target: diagnosis, ",
        "",
        "vitok.yaml:3:1 task",
        "task.target is missing",
        "docs/charter.md",
    ),
    "wrong unit of a share": ("40%", "140%", "vitok.yaml:4:45 data.split.test", "'140%' does not fit", "20%"),
    "wrong duration": (
        "cooldown: 7d",
        "cooldown: 7 fortnights",
        "retrain.cooldown",
        "does not fit",
        "4h, 30d",
    ),
    "unknown metric": (
        "roc_auc > b",
        "roc_acu > b",
        "accept[0]",
        "unknown metric 'roc_acu'",
        "Did you mean 'roc_auc'?",
    ),
    "gate that cannot be read": (
        "> baseline",
        "=> baseline",
        "vitok.yaml:6:5 accept[0]",
        "at character 9",
        "Expected there: >=",
    ),
    "gate of the wrong kind": (
        "roc_auc > baseline",
        "schedule(daily)",
        "accept[0]",
        "is a trigger, no gate",
        "retrain.on",
    ),
    "wrong unit of a gate": (
        "<= 50ms",
        "<= 50MB",
        "accept[2]",
        "is measured in ms, but its bound is in 'MB'",
        "without it",
    ),
    "slice by a column that is not there": (
        "roc_auc > baseline",
        "slice(colour).roc_auc > 0.5",
        "accept[0]",
        "no column 'colour'",
        "Name a column",
    ),
    "limit that no candidate can keep": (
        "50ms",
        "0.001ms",
        "accept[2]",
        "no candidate can keep",
        "Allow at least 0.2 ms",
    ),
    "gate that this much data cannot decide": (
        "roc_auc > baseline",
        "roc_auc >= 0.998",
        "accept[0]",
        "no figure can clear `roc_auc >= 0.998`",
        "test rows",
    ),
    "costs by which errors pay": (
        "tp: 500",
        "tp: -900",
        "decide.costs",
        "no threshold makes sense",
        "tp larger than fn",
    ),
    "absurd costs": ("fp: -50,", "fp: -900000,", "decide.costs", "nearly nothing is flagged", "four figures"),
    "guard looser than the gate": (
        "monitor:",
        "release: {guard: {quality: 0.2}}\nmonitor:",
        "release.guard.quality",
        "that the gate",
        "at most 0.05",
    ),
    "schedule faster than the cool-down": (
        "on: [drift]",
        "on: [schedule(daily)]",
        "retrain.on[0]",
        "is due more often than retrain.cooldown",
        "cool-down",
    ),
    "role that nobody has": (
        "monitor:",
        "approve: {high: [ml_engineer]}\nmonitor:",
        "approve.high",
        "nobody in team",
        "Name one",
    ),
    "KPI that nothing feeds": (
        ", metric: recall",
        "",
        "goal.kpi",
        "nothing feeds the KPI 'missed'",
        "goal.kpi.metric",
    ),
    "KPI of another task": (
        "metric: recall",
        "metric: rmse",
        "goal.kpi.metric",
        "'rmse' is no metric",
        "docs/methods.md",
    ),
    "time split without time": (
        "test: 40%",
        "test: 40%, by: time",
        "data.split.by",
        "needs task.time",
        "time column",
    ),
    "rows out of scope": (
        "team:",
        "scope: {out: [{what: large tumours, where: '\"worst radius\" > 20'}]}\nteam:",
        "scope.out[0]",
        "'large tumours' are out of scope, but",
        "WHERE NOT (",
    ),
    "condition that fails": (
        "team:",
        "scope: {out: [{what: odd, where: colour = 1}]}\nteam:",
        "scope.out[0]",
        "'colour = 1' fails",
        "Write SQL",
    ),
    "risk that no gate watches": (
        "alert(drift)",
        "gate(f1 >= 0.9)",
        "risks[0].watched_by",
        "is no gate of accept",
        "Gates:",
    ),
    "milestone that nothing shows": (
        "team:",
        "plan: {milestones: [{name: m, due: 10d, done_when: relased}]}\nteam:",
        "plan.milestones[0].done_when",
        "cannot read 'relased'",
        "Did you mean 'released'?",
    ),
    "date that is none": (
        "team:",
        "plan: {start: 2026-13-01}\nteam:",
        "plan.start",
        "does not fit",
        "2026-03-31",
    ),
    "risk twice": ("id: R2", "id: R1", "risks[1]", "'R1' stands twice", "Keep one"),
    "question to nobody": (
        "latency_p50_ms <= 50ms",
        "ask(boss)",
        "accept[2]",
        "at character 5",
        "a role (product_owner",
    ),
    "gate that can never hold": (
        "roc_auc > baseline",
        "roc_auc >= 120%",
        "accept[0]",
        "can never hold",
        "that can be reached",
    ),
    "gate on a group that is not there": (
        "roc_auc > baseline",
        'slice(patient="nobody").accuracy >= 0.5',
        "accept[0]",
        "no test row has patient='nobody'",
        "Name a group",
    ),
    "key with a hyphen": (
        "monitor:",
        "x-monitor:",
        "vitok.yaml:10:1 x-monitor",
        "unknown key 'x-monitor'",
        "Did you mean 'monitor'?",
    ),
    "standard risk left out": (
        "  - {id: R2, what: nobody trusts it, kind: business, likelihood: low, impact: high}\n",
        "",
        "risks",
        "nobody acts on it",
        "kind: business",
    ),
}
SEVERITIES = {
    "absurd costs": "warning",
    "guard looser than the gate": "warning",
    "schedule faster than the cool-down": "warning",
    "role that nobody has": "warning",
    "KPI that nothing feeds": "warning",
    "rows out of scope": "warning",
    "gate on a group that is not there": "warning",
    "standard risk left out": "note",
}


@pytest.fixture(scope="module")
def project(drafted_once, tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken") / "cancer"
    shutil.copytree(drafted_once, folder)
    return folder


def test_sound_charter_has_nothing_worse_than_notes(vitok, project):
    (project / "vitok.yaml").write_text(CHARTER)
    answer = vitok("check", "--project", project)
    assert answer.code == 0
    assert [p for p in answer.json["problems"] if p["severity"] != "note"] == []


@pytest.mark.parametrize("name", BROKEN)
def test_broken_charter_is_told(project, name):
    old, new, where, what, remedy = BROKEN[name]
    assert old in CHARTER
    (project / "vitok.yaml").write_text(CHARTER.replace(old, new, 1))
    answer = CliRunner().invoke(build(["check"]), ["check", "--json", "--project", str(project)])
    problems = json.loads(answer.stdout)["problems"]
    found = [p for p in problems if what in p["what"] and where in p["where"]]
    assert found, problems
    assert remedy in found[0]["remedy"]
    severity = SEVERITIES.get(name, "error")
    assert found[0]["severity"] == severity
    assert answer.exit_code == (2 if severity == "error" else 0)
    assert where.startswith("vitok.yaml") or found[0]["where"].startswith("vitok.yaml:")


def test_contradiction_stops_a_turn_before_it_reads_anything(mistake, project):
    (project / "vitok.yaml").write_text(CHARTER.replace("tp: 500", "tp: -900"))
    answer = mistake("run", "--project", project, says=["decide.costs", "no threshold makes sense"])
    assert "Reading" not in answer.err


def test_paths_and_numbers_of_any_size_are_told_in_one_line(vitok, project):
    (project / "vitok.yaml").write_text(CHARTER)
    for words, says in (
        (
            ["init", "x" * 9000, "--data", str(project / "cancer.csv"), "--target", "diagnosis"],
            "file name too long",
        ),
        (["card", str(10**25), "--project", project], "does not exist"),
        (["run", "--as-of", "2013-01-01", "--project", project], "needs task.time"),
        (["card", "one", "--project", project], "See `vitok card --help`"),
        (["card", "--project", project, "1", "2"], "command line"),
        (["log", "effort", "--project", project], "missing option '--hours'"),
        (
            ["log", "effort", "--hours", "1", "--at", "0001-01-01T00:00:00+14:00", "--project", project],
            "--at",
        ),
        (["approve", "a\nb", "--project", project], "does not exist"),
        (["approve", "b" * 90_000, "--project", project], "does not exist"),
    ):
        answer = vitok(*words, as_json=False)
        assert answer.code == 2, (words, answer.err)
        assert says in answer.err
        assert answer.err.count("\n") == 1, answer.err
        assert len(answer.err) < 2100


def test_worth_that_cannot_be_told_is_said_so(vitok, project):
    benefit = "{per: scan, value: 9, events_per_year: 5, prevented: 50%}"
    economics = f"economics: {{build: 0, yearly: 0, horizon: 2y, benefit: {benefit}}}\n"
    costs = CHARTER.replace("{tp: 500, fp: -50, fn: -500, tn: 0}", "{tp: 0, fp: 0, fn: 0, tn: 0}")
    (project / "vitok.yaml").write_text(costs + economics)
    answer = vitok("roi", "--project", project, as_json=False)
    assert answer.code == 0, answer.err
    assert "No ROI: nothing is spent." in answer.out
    assert "no threshold makes sense" in answer.out
    (project / "vitok.yaml").write_text(CHARTER + economics.replace("2y", "1h"))
    answer = vitok("roi", "--project", project, as_json=False)
    assert answer.code == 2
    assert "economics.horizon: 1h is too short" in answer.err
