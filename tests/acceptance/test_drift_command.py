"""`vitok drift` as a user has it: a ranking, a page, a picture, and clear words where there is nothing to see."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from commands import cancer, run_vitok
from vitok.journal.frames import PREDICTIONS, conform
from vitok.loop.feed import ID, TIME, UNIT, journal_rows
from vitok.model.runtime import load_model
from vitok.registry import releases
from vitok.wire import open_project

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)


def answered(opened, day):
    """Rows of a day as the workers write them; on the last day a radius is measured in another unit."""
    with opened.engine.connect() as connection:
        arm = releases.current(connection).plan.champion
    model = load_model(opened.blobs, arm.digest, threads=1)
    rows = cancer().sample(300, seed=day).with_columns(pl.col("mean radius") * (1 if day > 1 else 25.4))
    rows = rows.with_columns(
        (pl.lit(TODAY - day * DAY) + pl.duration(minutes=pl.int_range(pl.len())))
        .dt.cast_time_unit("us")
        .alias(TIME),
        pl.format(f"{day}-{{}}", pl.int_range(pl.len())).alias(ID),
        pl.lit("x").alias(UNIT),
    )
    frame = journal_rows(rows, model, model.score_frame(rows))
    frame = frame.with_columns(
        version=arm.version,
        digest=pl.lit(arm.digest),
        role=pl.lit("champion"),
        action=pl.lit("model"),
        micros=400,
    )
    return conform(frame, PREDICTIONS)


@pytest.fixture(scope="module")
def watched(released_once, tmp_path_factory):
    """A project with three days of predictions, the last of them off, judged."""
    folder = Path(shutil.copytree(released_once, tmp_path_factory.mktemp("drift") / "cancer"))
    opened = open_project(folder)
    frame = pl.concat([answered(opened, day) for day in (3, 2, 1)])
    opened.lake.append("predictions", frame.with_columns(worker=pl.lit("w"), seq=pl.int_range(pl.len())))
    assert run_vitok("watch", "--once", "--project", folder).code == 0
    return folder


def test_ranking_page_and_picture_of_a_column_that_moved(vitok, watched, tmp_path):
    page, plot = tmp_path / "new" / "drift.html", tmp_path / "drift.png"
    found = vitok("drift", "--html", page, "--plot", plot, "--project", watched).json
    assert found["window"]["rows"] == 300
    assert found["ranking"][0]["feature"] == "score"
    (line,) = (line for line in found["ranking"] if line["feature"] == "mean radius")
    assert line["moved"]
    assert line["since"][:10] == f"{TODAY - DAY:%Y-%m-%d}"
    assert (found["html"], found["plot"]) == (str(page), str(plot))
    assert plot.read_bytes()[:4] == b"\x89PNG"
    text = page.read_text(encoding="utf-8")
    assert "mean radius" in text
    assert "<svg" in text
    assert "<script" not in text
    assert len(text) < 2_000_000


def test_what_each_column_does_to_quality_is_told_or_why_it_cannot_be(vitok, watched):
    found = vitok("drift", "--effect", "--project", watched).json
    assert found["effect_on"] == "roc_auc"
    effects = {line["feature"]: line["effect"] for line in found["ranking"]}
    assert effects["score"] is None
    assert "of the window's values are like any of these" in effects["mean radius"]["undecidable"]
    assert all(
        "undecidable" in each or each["low"] <= each["value"] <= each["high"]
        for each in effects.values()
        if each
    )
    text = vitok("drift", "--effect", "--project", watched, as_json=False).out
    assert "effect on roc_auc" in text
    assert "No effect of mean radius: only" in text


def test_text_tells_what_moved_against_earlier_windows(vitok, watched):
    answer = vitok(
        "drift", "--against", "previous", "--feature", "mean radius", "--project", watched, as_json=False
    )
    assert answer.code == 0
    assert "against previous" in answer.out
    assert "mean radius: most values lie far outside" in answer.out
    calm = vitok(
        "drift", "--window", f"{TODAY - 2 * DAY:%Y-%m-%d}", "--feature", "mean radius", "--project", watched
    )
    assert calm.json["ranking"][0]["moved"] is False


def test_what_cannot_be_shown_is_told(mistake, watched, drafted, tmp_path):
    mistake("drift", "--project", drafted, says=("nothing has been predicted yet",))
    words = {
        ("--feature", "mean radios"): "Did you mean 'mean radius'?",
        ("--window", "soon"): "ISO 8601",
        ("--against", "yaer"): "Did you mean 'year'?",
        ("--slice", "origin=JFK"): "monitor.slices",
        ("--html", str(tmp_path)): "--html",
        ("--feature", "score", "--html", "/proc/drift.html"): "/proc/drift.html",
    }
    for given, said in words.items():
        mistake("drift", *given, "--project", watched, says=(said,))


def test_performance_says_that_labels_are_missing_and_which_metrics_it_knows(vitok, mistake, watched):
    found = vitok("performance", "--project", watched).json
    assert (found["version"], found["window"], found["lines"]) == (1, None, [])
    text = vitok("performance", "--project", watched, as_json=False).out
    assert "no window has labels yet" in text
    mistake("performance", "--metric", "recal", "--project", watched, says=("Did you mean 'recall'",))
    mistake(
        "performance", "--last", 2, "--to", "2020-01-01", "--project", watched, says=("does not go with",)
    )
    mistake("concept", "--against", "seson", "--project", watched, says=("Did you mean 'season'",))
