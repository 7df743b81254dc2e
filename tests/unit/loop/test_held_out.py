"""What the model earned over units that are held out: an experiment with an interval that holds the truth."""

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
from vitok.loop.concept import project_concept
from vitok.loop.earned import project_earned
from vitok.registry import releases
from vitok.release.holdout import HELD_OUT, held_out
from vitok.release.policy import Answer, Holdout

ROWS, UNITS = 9000, 1500
HOLDOUT = Holdout(0.1, Answer(hand_over=False, value=False), "flights")
# Money of a flagged late flight, one in vain, a missed one, and one left alone, as in the charter.
TP, FP, FN, TN = 40, -5, -60, 0
ECONOMICS = """
economics: {build: 1000, yearly: 1000, horizon: 3y, benefit: {per: prevented miss, value: 60}}
"""


@pytest.fixture
def setting(tmp_path):
    """A project whose second plan holds a tenth of the units out."""
    clock = VirtualClock(START)
    project = two_versions(tmp_path, clock, more=ECONOMICS)
    with project.engine.begin() as connection:
        first = releases.current(connection).plan
        policy = msgspec.structs.replace(first.policy, holdout=HOLDOUT)
        plan = msgspec.structs.replace(first, epoch=first.epoch + 1, policy=policy)
        facts = {"release_id": "second", "now": START, "actor": "ada", "before": "superseded", "evidence": {}}
        releases.activate(connection, plan, **facts)
    clock.move_to(START + timedelta(days=90))
    yield project, plan
    project.engine.dispose()


def journal(plan, *, right=0.8, prevents=0.0, seed=1, rows=ROWS):
    """Rows of units; a flag that was shown keeps some late flights from being late."""
    rng = np.random.default_rng(seed)
    unit = rng.integers(0, UNITS, rows)
    names = [f"tail{each}" for each in unit.tolist()]
    held = held_out(HOLDOUT, names)
    late = rng.random(rows) < np.where(unit % 2, 0.2, 0.5)
    would = np.where(rng.random(rows) < right, late, ~late)
    said = would & ~held
    late &= ~(said & (rng.random(rows) < prevents))
    ids = [str(number) for number in range(rows)]
    times = [START + timedelta(minutes=10 * number) for number in range(rows)]
    found = MemoryLedger()
    found.append_predictions(
        pl.DataFrame(
            {
                "id": ids,
                "time": times,
                "unit": names,
                "score": would.astype(float),
                "decision": ["true" if each else "false" for each in said],
                "action": [HELD_OUT if each else "model" for each in held],
                "digest": plan.champion.digest,
                "version": 1,
                "role": "champion",
                "epoch": plan.epoch,
            }
        )
    )
    values = [json.dumps(bool(each)) for each in late]
    known = [time + timedelta(hours=1) for time in times]
    found.append_outcomes(pl.DataFrame({"id": ids, "value": values, "time": known}))
    money = np.where(said, np.where(late, TP, FP), np.where(late, FN, TN))
    return found, held, money


def test_money_over_units_held_out_is_told_by_units_and_pays_for_the_model(setting):
    project, plan = setting
    rows, held, money = journal(plan)
    earned = project_earned(project, journal=rows)
    found = earned["against_holdout"]
    mean = money[~held].mean() - money[held].mean()
    assert found["rows"] == (~held).sum()
    assert found["held"]["rows"] == held.sum()
    assert 100 < found["held"]["units"] < 200
    assert found["units"] > UNITS * 0.99
    assert found["per_1000"]["value"] == pytest.approx(1000 * mean, abs=0.01)
    assert found["total"]["low"] < found["total"]["value"] < found["total"]["high"]
    assert found["forgone"]["value"] == pytest.approx(mean * held.sum(), abs=1)
    assert earned["plan"]["roi_against"] == "holdout"
    cost = earned["plan"]["cost"]
    assert earned["plan"]["roi"]["value"] == pytest.approx((found["total"]["value"] - cost) / cost, abs=1e-3)
    text = render(earned)
    assert "Over the units held out:" in text
    assert "ROI so far (over the units held out)" in text


def test_what_advice_prevents_is_earned_too_and_only_the_units_held_out_show_it(setting):
    """A late flight that the flag prevented is counted as a false alarm by costs alone."""
    project, plan = setting
    rows, _, money = journal(plan, prevents=0.6)
    earned = project_earned(project, journal=rows)
    over_nobody = earned["total"]["over_nobody"] / ROWS
    assert earned["against_holdout"]["per_1000"]["value"] / 1000 > 1.5 * over_nobody
    assert money.mean() == pytest.approx(earned["total"]["earned"] / ROWS, abs=0.01)


def test_the_interval_holds_the_truth_in_most_worlds_also_where_rows_of_a_unit_are_alike(setting):
    project, plan = setting
    late = 0.35
    true = 0.8 * late * (TP - FN) + (1 - 0.8) * (1 - late) * (FP - TN)
    held, runs = 0, 40
    for seed in range(runs):
        rows, _, _ = journal(plan, seed=seed, rows=4000)
        told = project_earned(project, journal=rows)["against_holdout"]["per_1000"]
        held += told["low"] <= 1000 * true <= told["high"]
    assert held / runs >= 0.8


def test_a_model_that_knows_nothing_earns_nothing_for_certain(setting):
    project, plan = setting
    rows, _, _ = journal(plan, right=0.5)
    rate = project_earned(project, journal=rows)["against_holdout"]["per_1000"]
    flagging_half = 0.5 * (0.35 * (TP - FN) + 0.65 * (FP - TN))  # flags cost little here, so chance earns too
    assert rate["low"] < 1000 * flagging_half < rate["high"]


def test_too_few_units_held_out_say_so_and_the_plan_is_held_against_flagging_nobody(setting):
    project, plan = setting
    rows, _, _ = journal(plan, rows=80)
    earned = project_earned(project, journal=rows)
    assert earned["against_holdout"]["total"] is None
    assert "are too few, 30 are needed" in earned["against_holdout"]["why"]
    assert earned["plan"]["roi_against"] == "nobody"
    assert "Over the units held out: not told" in render(earned)


def test_nothing_is_said_where_nobody_is_held_out(tmp_path):
    project = two_versions(tmp_path, VirtualClock(START))
    with project.engine.connect() as connection:
        plan = releases.current(connection).plan
    project.clock.move_to(START + timedelta(days=90))
    rows, _, _ = journal(plan)
    assert project_earned(project, journal=rows)["against_holdout"] is None
    project.engine.dispose()


def test_errors_of_units_held_out_are_not_the_models(setting):
    project, plan = setting
    rows, held, _ = journal(plan, right=1.0)
    found = project_concept(project, None, None, ("e_detector",), journal=rows)
    assert (found["rows"], found["errors"]) == ((~held).sum(), 0.0)
