"""Rows that count by their age, and seasons of earlier years."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from examples import CHARTER
from vitok.charter.load import load_charter
from vitok.data import expectations
from vitok.data.snapshot import take_snapshot
from vitok.loop.prepare import prepare_snapshot
from vitok.train.fit import fit_candidate

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BASE = CHARTER.replace("target: late", "target: late, time: departure, label_delay: 1h")


def rows(count=4000, days=1000):
    """A column whose meaning turned round half-way: before, high values were late, since then low ones are."""
    rng = np.random.default_rng(1)
    age = np.linspace(days, 1, count)
    x = rng.normal(size=count)
    late = np.where(age > days / 2, x > 0, x < 0) ^ (rng.random(count) < 0.1)
    times = [NOW - timedelta(days=float(each)) for each in age]
    return pl.DataFrame({"departure": times, "x": x, "late": late}).with_columns(
        pl.col("departure").cast(pl.Datetime("us", "UTC"))
    )


def snapshot_of(charter, frame):
    expected = expectations.Expectations(columns={})
    return take_snapshot(
        frame,
        {},
        charter,
        expected,
        None,
        as_of=NOW,
        window=charter.retrain.window,
        season=charter.retrain.season,
    )


@pytest.mark.parametrize("candidate", ["linear", "lightgbm"])
def test_with_a_half_life_the_newest_rows_decide(candidate):
    found = {}
    for name, retrain in (("alike", "{}"), ("by age", "{half_life: 60d}")):
        charter = load_charter(BASE + f"retrain: {retrain}\n").charter
        prepared = prepare_snapshot(snapshot_of(charter, rows()), charter)
        fitted = fit_candidate(
            candidate,
            prepared.training_set(charter),
            metric="roc_auc",
            sampler="tpe",
            trials=0,
            timeout_seconds=0,
            parameters=None,
            on_trial=lambda *_: None,
        )
        found[name] = fitted.validation
    assert found["by age"] > 0.85
    assert found["by age"] > found["alike"] + 0.1


def test_weights_halve_with_the_half_life():
    charter = load_charter(BASE + "retrain: {half_life: 100d}\n").charter
    prepared = prepare_snapshot(snapshot_of(charter, rows()), charter)
    weights = prepared.training_set(charter).weights
    times = prepared.snapshot.frame["departure"][prepared.parts.train]
    old = (times - (times.max() - timedelta(days=100))).abs().arg_min()
    assert weights.max() == 1
    assert weights[old] == pytest.approx(0.5, rel=0.01)


def test_season_takes_the_same_days_of_earlier_years():
    charter = load_charter(BASE + "retrain: {window: 60d, season: 10d}\n").charter
    found = snapshot_of(charter, rows())
    ages = ((NOW - pl.Series(found.frame["departure"])).dt.total_seconds() / 86400).to_numpy()
    assert ages.min() < 2
    for age in ages[ages > 60]:
        phase = age % 365.2425
        assert min(phase, 365.2425 - phase) <= 10.01
    years = {round(age / 365.2425) for age in ages[ages > 60]}
    assert years == {1, 2}
    assert found.left_out["outside of the training window"] > 3000
