"""Windows whose labels come: how long labels take, how many have come, and what the figure will be when all have."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from vitok.kernel.clock import format_time
from vitok.loop.assemble import cost_tuple
from vitok.loop.journals import JournalReader, answered_by, usable_labels
from vitok.loop.project import Project
from vitok.model.bundle import Manifest, load_manifest
from vitok.registry import releases
from vitok.registry import windows as remembered
from vitok.stats.estimates import Estimate
from vitok.stats.label_delay import DelayTable, Rows, fit_delays
from vitok.stats.maturing import mature_auc, mature_mean, maturity
from vitok.stats.scores import Costs, Floats, Undecidable

_LEAST_PAST, _DELAYS_BACK = timedelta(days=7), 5
_MOST_ROWS = 50_000
_MOST_WINDOWS = 10
# A label delay that more labels than this exceed is stated too short: windows are judged without them.
_LATE = 0.05


@dataclass(frozen=True)
class _Version:
    """The version in production, whose windows are looked at."""

    number: int
    digest: str
    manifest: Manifest
    costs: Costs | None


def label_report(project: Project, journal: JournalReader) -> dict[str, Any]:
    """How labels come, and the windows that wait for theirs.

    Returns:
        `label_delay` (median, p95, p99 in seconds, share that never comes, share later than the charter's delay),
        null while too few labels have come to tell; `maturing`: for each window that waits the share of its labels
        that has come, and metrics corrected for which labels come early.
    """
    with project.engine.connect() as connection:
        release = releases.current(connection)
        waiting = remembered.last_windows(connection, _MOST_WINDOWS, state="maturing")
    if release is None:
        return {"label_delay": None, "maturing": []}
    arm = release.plan.champion
    version = _Version(arm.version, arm.digest, load_manifest(project.blobs, arm.digest), cost_tuple(project))
    now, stated = project.clock(), project.charter.task.label_delay or timedelta(0)
    back = max(_LEAST_PAST, _DELAYS_BACK * stated)
    past = _rows(journal, version, now - back, now, now)
    if past.height > _MOST_ROWS:
        past = past.sample(_MOST_ROWS, seed=0)
    try:
        table = fit_delays(_timed(past, version, now))
    except Undecidable:
        return {"label_delay": None, "maturing": [_brief(window, None, {}) for window in reversed(waiting)]}
    windows = [_window(journal, version, window, table, now) for window in reversed(waiting)]
    return {"label_delay": _delay(table, stated), "maturing": windows}


def _delay(table: DelayTable, stated: timedelta) -> dict[str, Any]:
    curve = table.of(-1, -1)
    late = 1 - float(curve.maturity(np.array([stated.total_seconds()]))[0])
    return {
        "median": curve.age_for(0.5),
        "p95": curve.age_for(0.95),
        "p99": curve.age_for(0.99),
        "never": round(curve.never, 4),
        "stated": stated.total_seconds(),
        "later_than_stated": round(late, 4),
        "is_stated_too_short": late > _LATE,
    }


def _window(
    journal: JournalReader, version: _Version, window: dict[str, Any], table: DelayTable, now: datetime
) -> dict[str, Any]:
    rows = _rows(journal, version, window["start"], window["end"], now)
    timed = _timed(rows, version, now)
    try:
        share = maturity(timed, table)
    except Undecidable:
        return _brief(window, None, {})
    return _brief(window, share, _metrics(rows, timed, version, table))


def _brief(window: dict[str, Any], share: float | None, metrics: dict[str, Estimate]) -> dict[str, Any]:
    return {
        "start": format_time(window["start"]),
        "end": format_time(window["end"]),
        "rows": window["rows"],
        "maturity": None if share is None else round(share, 4),
        "quality": {name: found.as_json() for name, found in metrics.items()},
    }


def _rows(
    journal: JournalReader, version: _Version, start: datetime, end: datetime, now: datetime
) -> pl.DataFrame:
    """What a version answered in a period, with `truth` and `label_time` where the label has come."""
    mine = answered_by(version.digest)
    answers = journal.answers(start, end).filter(mine).unique("id", keep="last")
    known = journal.labelled(start, end, as_of=now).filter(mine)
    usable = usable_labels(known, version.manifest).select("id", "truth", "label_time")
    return answers.join(usable, on="id", how="left")


def _timed(rows: pl.DataFrame, version: _Version, now: datetime) -> Rows:
    """When each row was asked and its label came; curves differ by score and, of classes, by outcome."""
    asked = rows["time"].dt.epoch("us").to_numpy() / 1e6
    known = rows["label_time"].dt.epoch("us").cast(pl.Float64).fill_null(float("nan")).to_numpy() / 1e6
    outcomes = None
    if version.manifest.task == "binary":
        outcomes = rows["truth"].fill_null(-1).to_numpy()
    return Rows(asked, known, now.timestamp(), _scores(rows, version), outcomes)


def _scores(rows: pl.DataFrame, version: _Version) -> Floats:
    column = rows["proba"].list.max() if version.manifest.task == "multiclass" else rows["score"]
    return column.cast(pl.Float64).fill_null(0.0).to_numpy()


def _metrics(rows: pl.DataFrame, timed: Rows, version: _Version, table: DelayTable) -> dict[str, Estimate]:
    """The metrics that the window will have; what too few labels tell is left out."""
    found: dict[str, Estimate] = {}
    truth, scores = rows["truth"].cast(pl.Float64).to_numpy(), _scores(rows, version)
    wanted: dict[str, tuple[Floats, Floats | None]]
    if version.manifest.task == "regression":
        wanted = {"mae": (np.abs(truth - scores), None)}
    elif version.manifest.task == "multiclass":
        best = np.array([np.argmax(each) for each in rows["proba"].to_list()])
        wanted = {"accuracy": (np.where(np.isnan(truth), np.nan, (best == truth).astype(np.float64)), None)}
    else:
        wanted = _binary(truth, scores >= (version.manifest.threshold or 0.0), version.costs)
        with suppress(Undecidable):
            found["roc_auc"] = mature_auc(timed, table)
    for name, (values, bottom) in wanted.items():
        with suppress(Undecidable):
            found[name] = mature_mean(values, timed, table, bottom=bottom)
    return found


def _binary(
    truth: Floats, flagged: np.ndarray, costs: Costs | None
) -> dict[str, tuple[Floats, Floats | None]]:
    """Of each row what a metric takes the mean of, and what it divides by."""
    yes, both = truth == 1, (truth == 1) & flagged
    wanted: dict[str, tuple[Floats, Floats | None]] = {
        "accuracy": ((yes == flagged).astype(np.float64), None),
        "precision": (both.astype(np.float64), flagged.astype(np.float64)),
        "recall": (both.astype(np.float64), yes.astype(np.float64)),
    }
    if costs is not None:
        tp, fp, fn, tn = costs
        money = np.where(flagged, np.where(yes, tp, fp), np.where(yes, fn, tn))
        wanted["profit_per_1000"] = (1000 * money, None)
    return wanted
