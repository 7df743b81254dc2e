"""Watching a model that runs elsewhere: what happened to it is found, whatever its log looks like."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from vitok.errors import DataMistake, UserMistake, VitokError
from vitok.loop.elsewhere import watch_elsewhere
from vitok.loop.logged import Log

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS, ROWS = 40, 150
REFERENCE = START + timedelta(days=15)
LOG = Log(reference=REFERENCE)


def log(kind="binary", broken=None, days=DAYS):
    """A log with its labels; from day 28 on `labels` turn to noise, or `temp` is `missing`."""
    rng, count = np.random.default_rng(1), days * ROWS
    day = np.repeat(np.arange(days), ROWS)
    temp, level = rng.normal(size=count), rng.choice(["a", "b", "c"], count)
    score = 1 / (1 + np.exp(-(2 * temp + (level == "a"))))
    truth = rng.random(count) < score
    late = day >= 28
    if broken == "labels":
        truth = np.where(late, rng.random(count) < 0.5, truth)
    seen = np.where(late & (broken == "missing"), np.nan, temp)
    return pl.DataFrame(
        {
            "id": np.arange(count),
            "time": [
                START + timedelta(days=int(d), seconds=int(s))
                for d, s in zip(day, rng.integers(86400, size=count), strict=True)
            ],
            "temp": pl.Series(seen, nan_to_null=True),
            "level": level,
            "score": score if kind == "binary" else 10 * temp,
            "label": truth if kind == "binary" else 10 * temp + rng.normal(size=count),
        }
    )


def test_a_quiet_log_raises_nothing_and_shows_every_window():
    found = watch_elsewhere(log(), None, LOG)
    assert found["alerts"] == []
    assert len(found["windows"]) == DAYS - 15
    assert found["reference"]["rows"] == 15 * ROWS
    assert found["reference"]["inputs"] == ["temp", "level"]
    window = found["windows"][3]
    assert (window["rows"], window["labelled"], window["state"]) == (ROWS, ROWS, "final")
    assert window["quality"]["roc_auc"]["value"] == pytest.approx(
        window["estimated"]["roc_auc"]["value"], abs=0.1
    )


def test_labels_that_turn_to_noise_are_an_alarm_on_quality_soon():
    (alert,) = watch_elsewhere(log(broken="labels"), None, LOG)["alerts"]
    assert (alert["kind"], alert["severity"], alert["what"]) == ("quality", "alarm", ["roc_auc"])
    opened = datetime.fromisoformat(alert["opened"])
    assert START + timedelta(days=29) <= opened <= START + timedelta(days=33)


def test_a_feature_that_goes_missing_is_an_alarm_that_names_it_at_once():
    found = watch_elsewhere(log(broken="missing"), None, LOG)
    (alert,) = [each for each in found["alerts"] if each["kind"] == "drift"]
    assert (alert["severity"], alert["what"][0]) == ("alarm", "temp")
    assert alert["opened"] == "2026-01-30T00:00:00Z"


def test_outcomes_of_another_table_are_joined_by_id_and_the_first_counts():
    whole = log()
    outcomes = pl.concat([whole.select("id", "label"), whole.select("id", ~pl.col("label"))])
    one = watch_elsewhere(whole, None, LOG)
    two = watch_elsewhere(whole.drop("label"), outcomes, LOG)
    assert two["windows"] == one["windows"]


def test_without_labels_drift_and_estimates_are_there_and_no_quality():
    found = watch_elsewhere(log(broken="missing").drop("label"), None, LOG)
    assert all(window["quality"] == {} for window in found["windows"])
    assert [alert["kind"] for alert in found["alerts"]] == ["drift"]


def test_a_regression_is_known_by_its_labels():
    found = watch_elsewhere(log("regression"), None, LOG)
    assert found["reference"]["task"] == "regression"
    assert found["windows"][0]["quality"]["rmse"]["value"] == pytest.approx(1.0, abs=0.2)
    assert found["alerts"] == []


def test_labels_that_come_late_are_used_when_they_have_come():
    whole = log(broken="labels").with_columns(came=pl.col("time") + timedelta(days=3))
    found = watch_elsewhere(
        whole, None, Log(reference=REFERENCE, label_time="came", label_delay=timedelta(days=3))
    )
    (alert,) = found["alerts"]
    assert datetime.fromisoformat(alert["opened"]) >= START + timedelta(days=32)
    assert found["reference"]["inputs"] == ["temp", "level"]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f.drop("time"), {}, "has no column 'time'"),
        (lambda f: f.rename({"score": "scores"}), {}, "Did you mean 'scores'"),
        (lambda f: f.with_columns(score=pl.lit("high")), {}, "no number"),
        (lambda f: f.with_columns(time=pl.lit("yesterday")), {}, "no time"),
        (lambda f: f.with_columns(time=pl.lit(None, dtype=pl.Datetime("us", "UTC"))), {}, "have no time"),
        (lambda f: f.with_columns(label=pl.col("level")), {}, "has 3 classes"),
        (lambda f: f, {"reference": START}, "0 rows before"),
        (lambda f: f, {"false_alarms": "many"}, "--false-alarms"),
        (lambda f: f, {"effect": -1.0}, "--effect"),
        (lambda f: f, {"slices": ("levle",)}, "Did you mean 'level'"),
        (lambda f: f.head(0), {}, "rows"),
    ],
)
def test_what_cannot_be_watched_is_told(change, options, message):
    with pytest.raises((DataMistake, UserMistake)) as caught:
        watch_elsewhere(change(log(days=20)), None, Log(**{"reference": REFERENCE, **options}))
    error: VitokError = caught.value
    assert message in f"{error.place}: {error.what}. {error.remedy}"


def test_outcomes_that_join_nothing_are_told():
    whole = log(days=20)
    with pytest.raises(DataMistake, match="no outcome joins"):
        watch_elsewhere(whole.drop("label"), whole.select(id=pl.col("id") + 10**9, label="label"), LOG)


def odd(frame):
    """Columns as logs have them: constant, empty, infinite, of thousands of levels, gone in the middle."""
    rng, count = np.random.default_rng(3), frame.height
    return frame.with_columns(
        constant=pl.lit(7.0),
        empty=pl.lit(None, dtype=pl.Float64),
        infinite=pl.Series(np.where(rng.random(count) < 0.01, np.inf, rng.normal(size=count))),
        levels=pl.Series([f"c{each}" for each in rng.integers(0, 50_000, count)]),
        flag=pl.Series(rng.random(count) < 0.5),
    )


@pytest.mark.parametrize(
    "change",
    [
        odd,
        lambda f: f.with_columns(score=pl.lit(0.3)),
        lambda f: f.with_columns(score=pl.when(pl.col("id") % 7 == 0).then(float("nan")).otherwise("score")),
        lambda f: f.with_columns(score=pl.when(pl.col("id") % 7 == 0).then(None).otherwise("score")),
        lambda f: f.select("id", "time", "score", "label"),
        lambda f: f.filter(
            (pl.col("time") < START + timedelta(days=20)) | (pl.col("time") > START + timedelta(days=27))
        ),
        lambda f: f.with_columns(pl.col("time").dt.convert_time_zone("America/New_York")),
        lambda f: f.with_columns(pl.col("time").dt.replace_time_zone(None)),
        lambda f: f.with_columns(pl.col("time").dt.date()),
        lambda f: f.with_columns(time=pl.col("time").dt.strftime("%Y-%m-%d %H:%M:%S")),
        lambda f: f.sample(fraction=1.0, shuffle=True, seed=1),
    ],
)
def test_odd_logs_without_a_change_raise_nothing(change):
    found = watch_elsewhere(change(log()), None, LOG)
    assert found["alerts"] == []
    assert len(found["windows"]) >= 18


def test_labels_of_one_class_are_told_by_the_name_of_their_column():
    with pytest.raises(DataMistake, match="column label: the target is constant"):
        watch_elsewhere(log().with_columns(label=pl.lit(True)), None, LOG)


def test_each_window_is_estimated_again_for_its_own_rows_if_that_is_wanted():
    rows = log(days=25).with_columns(level=pl.when(pl.col("temp") > 1).then(pl.lit("a")).otherwise("level"))
    found = watch_elsewhere(rows.drop("label"), rows.select("id", "label"), replace(LOG, reweighs=True))
    for window in found["windows"]:
        again = window["reweighted"]["roc_auc"]
        assert again["low"] < window["quality"]["roc_auc"]["value"] < again["high"]
        assert again["value"] == pytest.approx(window["estimated"]["roc_auc"]["value"], abs=0.1)
    plain = watch_elsewhere(rows, None, LOG)["windows"]
    assert [window["reweighted"] for window in plain] == [{}] * 10
