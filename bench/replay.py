"""Ten months of flights replayed, beside the floor of scoring the same rows in one pass.

Training is left out on both sides: the policy is `never`. The floor reads the rows, scores them in one call, and
computes the monthly AUC; what replay takes above that is routing, journal, labels, windows, drift and alerts.
"""

import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from measure import print_table, target, write
from sklearn.metrics import roc_auc_score

from vitok.kernel.clock import stopwatch
from vitok.loop.example import write_example
from vitok.loop.release import release_at_once
from vitok.loop.replay import replay
from vitok.loop.turn import run_turn
from vitok.model.runtime import load_model
from vitok.registry import releases
from vitok.wire import open_project

START, END = datetime(2013, 3, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC)
REPEATS = 3


def floor(project) -> tuple[float, int]:
    """Seconds and rows of one pass over the same rows."""
    with project.engine.connect() as connection:
        release = releases.current(connection)
    rows, _ = project.rows()
    started = stopwatch()
    model = load_model(project.blobs, release.plan.champion.digest, threads=2)
    part = rows.filter((pl.col("departure") >= START) & (pl.col("departure") < END))
    scored = part.select("departure", "late").with_columns(score=pl.Series(model.score_frame(part)))
    for _, month in scored.drop_nulls("late").group_by(pl.col("departure").dt.month()):
        roc_auc_score(month["late"], month["score"])
    return stopwatch() - started, part.height


def main() -> None:
    """Runs both in turn, and writes the table."""
    with tempfile.TemporaryDirectory(prefix="vitok-bench-") as folder:
        home = Path(folder) / "flights"
        write_example(home)
        project = open_project(home)
        version = run_turn(project, as_of=START, quick=True).version.number
        release_at_once(project, version, actor="bench")
        floors, replays, predictions = [], [], 0
        for _ in range(REPEATS):
            seconds, predictions = floor(project)
            floors.append(seconds)
            (result,) = replay(project, ["never"], start=START, end=END, step=None)
            assert result.rows == predictions
            replays.append(result.seconds["production"])
    ours, least = statistics.median(replays), statistics.median(floors)
    rows = [
        row("vitok replay, policy never, one-day windows", ours, predictions, ours / least),
        row("floor: score in one pass, monthly AUC", least, predictions, 1.0),
    ]
    print_table(rows)
    write("replay", rows, [target("replay_seconds", ours, 60.0)], ["polars", "onnxruntime", "scikit-learn"])


def row(engine: str, seconds: float, predictions: int, ratio: float) -> dict[str, object]:
    """One line of the table."""
    return {
        "engine": engine,
        "seconds": round(seconds, 2),
        "predictions": predictions,
        "us_per_prediction": round(seconds / predictions * 1e6, 1),
        "times_floor": round(ratio, 1),
    }


if __name__ == "__main__":
    main()
