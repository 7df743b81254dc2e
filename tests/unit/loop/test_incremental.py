"""What a new version earned over the champion while units were dealt to both."""

import json
from datetime import timedelta

import msgspec
import numpy as np
import polars as pl
import pytest

from rollouts import START, two_versions
from vitok.cli.earned import render
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.loop.earned import project_earned
from vitok.registry import releases, versions
from vitok.release.plan import Arm

SHARE, ROWS = 0.3, 6000


@pytest.fixture
def setting(tmp_path):
    """A project whose second plan gives three of ten units to version 2."""
    clock = VirtualClock(START)
    project = two_versions(tmp_path, clock)
    with project.engine.begin() as connection:
        release = releases.current(connection)
        new = versions.get(connection, 2)
        champion = msgspec.structs.replace(release.plan.champion, share=1 - SHARE)
        arms = (champion, Arm(2, new.digest, "challenger", SHARE))
        verdicts = {**release.plan.verdicts, new.digest: "accepted"}
        plan = msgspec.structs.replace(
            release.plan, epoch=release.plan.epoch + 1, arms=arms, verdicts=verdicts
        )
        facts = {"release_id": "second", "now": START, "actor": "ada", "before": "superseded", "evidence": {}}
        releases.activate(connection, plan, **facts)
    clock.move_to(START + timedelta(days=60))
    yield project, plan
    project.engine.dispose()


def journal(plan, *, better, seed=1):
    """Three rows of each unit; version 2 is right more often by `better`."""
    rng = np.random.default_rng(seed)
    unit = np.arange(ROWS) // 3
    is_new = (rng.random(ROWS // 3) < SHARE)[unit]
    late = rng.random(ROWS) < 0.4
    right = rng.random(ROWS) < 0.7 + better * is_new
    said = np.where(right, late, ~late)
    ids = [str(number) for number in range(ROWS)]
    times = [START + timedelta(minutes=10 * number) for number in range(ROWS)]
    digests = {arm.version: arm.digest for arm in plan.arms}
    found = MemoryLedger()
    found.append_predictions(
        pl.DataFrame(
            {
                "id": ids,
                "time": times,
                "unit": [f"tail{each}" for each in unit.tolist()],
                "score": said.astype(float),
                "decision": ["true" if each else "false" for each in said],
                "digest": [digests[2 if each else 1] for each in is_new],
                "version": [2 if each else 1 for each in is_new],
                "role": ["challenger" if each else "champion" for each in is_new],
                "epoch": plan.epoch,
            }
        )
    )
    known = [time + timedelta(hours=1) for time in times]
    values = [json.dumps(bool(each)) for each in late]
    found.append_outcomes(pl.DataFrame({"id": ids, "value": values, "time": known}))
    return found, is_new


def test_money_over_the_champion_has_an_interval_that_holds_the_truth(setting):
    project, plan = setting
    found, is_new = journal(plan, better=0.1)
    earned = project_earned(project, journal=found)
    (against,) = earned["against_champion"]
    assert (against["version"], against["champion"], against["rows"]) == (2, 1, int(is_new.sum()))
    # A right decision is worth 100 more where a flight is late (40 against -60), and 5 more where it is not.
    true = is_new.sum() * 0.1 * (0.4 * 100 + 0.6 * 5)
    assert against["total"]["low"] < true < against["total"]["high"]
    assert against["total"]["low"] > 0
    assert "Version 2 over version 1, while both shared the traffic" in render(earned)


def test_a_version_that_is_no_better_is_not_said_to_be(setting):
    project, plan = setting
    wrong = 0
    for seed in range(20):
        (against,) = project_earned(project, journal=journal(plan, better=0.0, seed=seed)[0])[
            "against_champion"
        ]
        wrong += not against["total"]["low"] <= 0 <= against["total"]["high"]
    assert wrong <= 5


def test_a_champion_alone_is_compared_with_nobody(setting):
    project, plan = setting
    found, _ = journal(plan, better=0.1)
    alone = MemoryLedger()
    alone.append_predictions(found.predictions().with_columns(epoch=pl.lit(plan.epoch - 1, dtype=pl.Int64)))
    alone.append_outcomes(found.outcomes())
    assert project_earned(project, journal=alone)["against_champion"] == []
