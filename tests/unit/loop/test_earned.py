"""What was earned, by period, and whether advice is followed and feeds back."""

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from rollouts import START, two_versions
from vitok.errors import UserMistake
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.loop.earned import project_earned
from vitok.registry import releases

ECONOMICS = (
    "economics: {build: 1000, yearly: 500, horizon: 3y, benefit: {per: miss, value: 10, events_per_year: 3650, "
    "prevented: 50%}}\n"
)
ROWS = 2000  # of 100 days, twenty a day; costs are tp 40, fp -5, fn -60, tn 0


@pytest.fixture
def setting(tmp_path):
    clock = VirtualClock(START)
    project = two_versions(tmp_path, clock)
    (tmp_path / "vitok.yaml").write_text((tmp_path / "vitok.yaml").read_text() + ECONOMICS)
    from vitok.wire import open_project

    project.engine.dispose()
    project = open_project(tmp_path, clock=clock)
    clock.move_to(START + timedelta(days=120))
    with project.engine.connect() as connection:
        digest = releases.current(connection).plan.champion.digest
    yield project, digest
    project.engine.dispose()


def journal(digest, *, effect=0.0, says=True):
    """Flags are right in seven of ten cases; where they are followed fewer of the flagged are late by `effect`."""
    rng = np.random.default_rng(1)
    flagged = rng.random(ROWS) < 0.4
    followed = rng.random(ROWS) < 0.6
    chance = np.where(flagged, 0.7 - effect * followed, 0.1)
    late = rng.random(ROWS) < chance
    times = [START + timedelta(days=number // 20, minutes=number % 20) for number in range(ROWS)]
    ids = [str(number) for number in range(ROWS)]
    found = MemoryLedger()
    found.append_predictions(
        pl.DataFrame(
            {
                "id": ids,
                "time": times,
                "score": flagged.astype(float),
                "decision": ["true" if each else "false" for each in flagged],
                "digest": digest,
                "version": 1,
            }
        )
    )
    found.append_outcomes(
        pl.DataFrame(
            {
                "id": ids,
                "value": [json.dumps(bool(each)) for each in late],
                "time": [time + timedelta(hours=3) for time in times],
                "followed": [
                    bool(each) if says and flag else None
                    for each, flag in zip(followed, flagged, strict=True)
                ],
            },
            schema_overrides={"followed": pl.Boolean},
        )
    )
    over = np.where(flagged, np.where(late, 100.0, -5.0), 0.0)
    return found, over


def test_money_is_counted_against_flagging_nobody_with_an_interval(setting):
    project, digest = setting
    found, over = journal(digest)
    earned = project_earned(project, journal=found)
    total = earned["total"]
    assert total["over_nobody"] == pytest.approx(over.sum())
    assert total["low"] < total["over_nobody"] < total["high"]
    assert total["low"] > 0.7 * total["over_nobody"]
    assert sum(period["over_nobody"] for period in earned["periods"]) == pytest.approx(over.sum())
    assert [period["start"][:7] for period in earned["periods"]] == [
        "2013-03",
        "2013-04",
        "2013-05",
        "2013-06",
    ]


def test_the_plan_and_roi_so_far_follow_the_charter(setting):
    project, digest = setting
    plan = project_earned(project, journal=journal(digest)[0])["plan"]
    assert plan["years"] == pytest.approx(99 / 365, rel=0.01)
    assert plan["cost"] == pytest.approx(1000 + 500 * plan["years"], rel=1e-3)
    assert plan["planned_benefit"] == pytest.approx(10 * 3650 * 0.5 * plan["years"], rel=1e-3)
    assert plan["roi"]["low"] < plan["roi"]["value"] < plan["roi"]["high"]


def test_advice_that_changes_what_happens_is_a_warning_and_advice_that_does_not_is_none(setting):
    project, digest = setting
    calm = project_earned(project, journal=journal(digest)[0])["advice"]
    assert calm["followed"]["low"] < 0.6 < calm["followed"]["high"]
    assert calm["feeds_back"] is False
    loud = project_earned(project, journal=journal(digest, effect=0.3)[0])["advice"]
    assert loud["feeds_back"] is True
    assert loud["difference"]["value"] == pytest.approx(-0.3, abs=0.08)


def test_where_nobody_says_nothing_is_claimed(setting):
    project, digest = setting
    assert project_earned(project, journal=journal(digest, says=False)[0])["advice"] is None
    empty = project_earned(project, journal=MemoryLedger())
    assert (empty["periods"], empty["total"], empty["plan"]) == ([], None, None)
    with pytest.raises(UserMistake, match="there is no period"):
        project_earned(project, by="hour", journal=MemoryLedger())
