"""`vitok watch --predictions`: a model that runs elsewhere, in a folder with nothing but its log."""

import polars as pl
import pytest
from sklearn.datasets import load_diabetes

from commands import run_vitok


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Patients of a clinic, one model's forecasts for them; in the last weeks a scale is set to pounds."""
    place = tmp_path_factory.mktemp("log")
    found = load_diabetes(scaled=False)
    frame = pl.DataFrame(found.data, schema=found.feature_names).with_columns(label=found.target)
    frame = pl.concat([frame.sample(fraction=1.0, seed=seed, shuffle=True) for seed in range(8)])
    day = pl.int_range(pl.len()) // 60
    frame = frame.with_columns(
        id=pl.int_range(pl.len()),
        time=pl.datetime(2026, 1, 1) + pl.duration(days=day),
        score=152 + 10 * (pl.col("bmi") - 26.4),
        bp=pl.when(day >= 50).then(None).otherwise("bp"),
    )
    frame.drop("label").write_csv(place / "predictions.csv")
    frame.select("id", "label").write_parquet(place / "outcomes.parquet")
    return place


def test_a_log_is_watched_without_a_project(folder):
    done = run_vitok(
        "watch",
        *("--predictions", folder / "predictions.csv", "--outcomes", folder / "outcomes.parquet"),
        *("--reference", "2026-02-05", "--project", folder),
    )
    assert done.code == 0
    assert done.json["reference"]["task"] == "regression"
    assert len(done.json["windows"]) >= 20
    (alert,) = done.json["alerts"]
    assert (alert["kind"], alert["severity"], alert["what"]) == ("drift", "alarm", ["bp"])
    assert sorted(path.name for path in folder.iterdir()) == ["outcomes.parquet", "predictions.csv"]


def test_a_mistake_is_told_in_one_line(folder):
    done = run_vitok(
        "watch", "--predictions", folder / "predictions.csv", "--score", "scor", "--project", folder
    )
    assert done.code == 2
    assert "Did you mean 'score'?" in done.err
    alone = run_vitok("watch", "--outcomes", folder / "outcomes.parquet", "--project", folder)
    assert (alone.code, "Give --predictions too" in alone.err) == (2, True)
