"""Stages, milestones and review by hand-made facts: what is done, since when, and how late."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import polars as pl
import pytest

from vitok.charter.conditions import parse_condition
from vitok.charter.load import load_charter
from vitok.loop.evidence import met
from vitok.loop.facts import Facts
from vitok.loop.plan import experiments, milestones, review, roadmap, stages
from vitok.registry.charters import CharterVersion
from vitok.registry.releases import Release
from vitok.registry.turns import Turn
from vitok.registry.versions import Version

DAY, START = timedelta(days=1), datetime(2026, 1, 5, tzinfo=UTC)
CHARTER = """\
project: late
goal: {statement: Warn, owner: ops, kpi: {name: missed, base: 0.3, target: 0.2, metric: recall}}
task: {type: binary, target: late, id: flight, time: departure, label_delay: 8h}
data: {sources: {flights: flights.parquet}}
accept: [roc_auc >= 0.7]
plan:
  stages: {framing: 7d, prototype: 2026-01-15, development: 30d}
  milestones:
    - {name: baseline, due: 7d, done_when: baseline}
    - {name: labels, due: 20d, done_when: labels >= 3, mvp: true}
    - {name: good, due: 90d, done_when: roc_auc >= 0.7}
  review: 30d
experiments:
  - {id: E1, what: a, effect: 0.01, effort: 10h}
  - {id: E2, what: b, effect: 0.04, chance: 25%, effort: 5h}
  - {id: E3, what: c, effect: 1, effort: 1h, status: dropped, gain: -0.01, learned: no}
  - {id: E4, what: d, effect: 1, effort: 0h}
"""
DOCUMENT = load_charter(CHARTER)


def times(*days):
    return pl.Series([START + day * DAY for day in days], dtype=pl.Datetime("us", "UTC"))


def version(number, day, auc, verdict="accepted"):
    metrics = {"roc_auc": {"value": auc, "low": auc - 0.02, "high": auc + 0.02}}
    return Version(number, f"d{number}", START + day * DAY, f"t{number}", verdict, [], metrics, {})


def turn(number, day, state="accepted"):
    at = START + day * DAY
    return Turn(
        f"t{number}",
        at,
        at,
        at,
        "by hand",
        "end",
        state,
        number,
        DOCUMENT.digest,
        {},
        {},
        "",
        number,
        "",
        False,
        {},
        None,
        True,
    )


def release(number, day):
    return Release(number, f"r{number}", START + day * DAY, number, "immediate", "in force", "ada", None, {})


def facts(day=0, document=DOCUMENT, **known):
    content = document.charter.as_json()
    values = {
        "project": SimpleNamespace(charter=document.charter, document=document),
        "now": START + day * DAY,
        "problems": [],
        "charters": [CharterVersion(1, document.digest, START, "ada", content)],
        "turns": [],
        "versions": [],
        "releases": [],
        "windows": [],
        "predicted": times(),
        "labelled": times(),
        "hours": {},
    }
    return Facts(**(values | known))


def test_plan_starts_when_the_first_charter_was_recorded_else_today():
    assert facts(day=50).start == date(2026, 1, 5)
    assert facts(day=50, charters=[]).start == date(2026, 2, 24)
    planned = load_charter(CHARTER.replace("plan:\n", "plan:\n  start: 2025-12-01\n"))
    assert facts(document=planned).start == date(2025, 12, 1)


def test_stages_are_done_late_now_or_next():
    rows = {
        row["stage"]: row
        for row in stages(facts(day=11, turns=[turn(1, 12)], versions=[version(1, 12, 0.6)]))
    }
    assert (rows["framing"]["state"], rows["framing"]["late_days"]) == ("late", 4)  # no risk is registered
    assert (rows["prototype"]["state"], rows["prototype"]["done"]) == ("done", "2026-01-17")
    assert rows["prototype"]["late_days"] == 2
    assert rows["pilot"] | {"evidence": []} == {
        "stage": "pilot",
        "due": None,
        "state": "next",
        "done": None,
        "late_days": None,
        "evidence": [],
    }
    first = stages(facts(day=3))
    assert [row["state"] for row in first] == ["now", "next", "next", "next", "next"]


def test_milestones_tell_the_day_they_were_reached():
    found = facts(day=25, turns=[turn(1, 2)], labelled=times(1, 2, 22, 23), predicted=times(0, 0, 0, 0))
    baseline, labels, good = milestones(found)
    assert (baseline["state"], baseline["done"], baseline["late_days"]) == ("done", "2026-01-07", None)
    assert (labels["state"], labels["done"], labels["late_days"], labels["mvp"]) == (
        "done",
        "2026-01-27",
        2,
        True,
    )
    assert (good["state"], good["evidence"]) == ("open", "no version was accepted yet")


def test_figure_is_that_of_the_version_in_production_since_it_cleared_the_bound_for_good():
    known = [version(1, 1, 0.9), version(2, 2, 0.6), version(3, 3, 0.8), version(4, 4, 0.85)]
    condition = parse_condition("roc_auc >= 0.7")
    everything = facts(versions=known, releases=[release(1, 1), release(2, 2), release(3, 5), release(4, 6)])
    assert met(condition, everything).when == START + 5 * DAY
    assert not met(condition, facts(versions=known, releases=[release(2, 2)])).done
    assert met(condition, facts(versions=known)).when == START + 3 * DAY
    assert not met(parse_condition("roc_auc >= 0.84"), facts(versions=known)).done  # the low end decides


def test_retrained_needs_an_accepted_version_of_a_turn_after_the_release():
    known = {"versions": [version(1, 1, 0.8), version(2, 3, 0.8, "refused")], "releases": [release(1, 2)]}
    condition = parse_condition("retrained")
    assert not met(condition, facts(turns=[turn(1, 1), turn(2, 3, "refused")], **known)).done
    known["versions"].append(version(3, 4, 0.8))
    assert met(condition, facts(turns=[turn(1, 1), turn(3, 4)], **known)).when == START + 4 * DAY


def test_review_is_counted_from_the_last_charter():
    assert review(facts(day=30)) == {
        "every": "30d",
        "last": "2026-01-05",
        "due": "2026-02-04",
        "overdue_days": None,
    }
    assert review(facts(day=33))["overdue_days"] == 3


def test_experiments_stand_by_gain_for_each_hour_and_what_is_over_beneath():
    rows = experiments(facts(hours={"E1": 4.5}))
    assert [row["id"] for row in rows] == ["E4", "E2", "E1", "E3"]
    assert [row["score"] for row in rows[1:3]] == pytest.approx([0.002, 0.0005])
    assert rows[2]["hours_logged"] == 4.5
    assert (rows[3]["gain"], rows[3]["learned"]) == (-0.01, "no")


def test_road_map_counts_ninety_days():
    rows = roadmap(facts(day=31))
    assert [row["due"] for row in rows[::4]] == ["2026-02-04", "2026-03-06", "2026-04-05"]
    assert {row["step"]: row["state"] for row in rows[:5]} == {
        "goal, KPI and owner agreed": "done",
        "risks registered": "late",
        "charter and data without error": "done",
        "baselines measured": "late",
        "version accepted": "due",
    }
