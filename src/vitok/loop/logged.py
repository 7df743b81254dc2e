"""A log of predictions that another system wrote, and the outcomes that came, as rows that Vitok can watch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import polars as pl

from vitok.data.snapshot import time_column
from vitok.data.sources import read_table
from vitok.data.target import Classes, find_classes
from vitok.errors import DataMistake, UserMistake, did_you_mean
from vitok.model.bundle import Field
from vitok.stats.catalogue import TaskKind
from vitok.stats.images import EXAMPLE, is_image
from vitok.store.lake import Lake

# Names that no log has: a colon is no part of theirs.
TIME, ID, LABEL, KNOWN = "vitok:time", "vitok:id", "vitok:label", "vitok:known"
_LEVELS = 50
_FIRST_PART = 0.25
_LAKE = "lake:"


@dataclass(frozen=True)
class Log:
    """Which columns of a log are what, and how it is watched.

    Args:
        id, time, score, label, label_time: Columns; those of labels may lie in the table of outcomes.
        threshold: Score from which a row is flagged (binary).
        reference: The rows before this instant are what the others are compared with; None for the first quarter.
        window: Length of a window.
        slices: Columns whose groups are watched apart.
        exclude: Columns that are no inputs.
        label_delay: How long after a prediction its label is expected.
        effect, false_alarms: As `monitor.drift` of the charter.
        reweighs: Whether each window is estimated a second time, by a calibration made for its rows.
    """

    id: str = "id"
    time: str = "time"
    score: str = "score"
    label: str = "label"
    label_time: str | None = None
    threshold: float = 0.5
    reference: datetime | None = None
    window: timedelta = timedelta(days=1)
    slices: Sequence[str] = ()
    exclude: Sequence[str] = ()
    label_delay: timedelta = timedelta(0)
    effect: float = 0.2
    false_alarms: str = "1 per 90d"
    reweighs: bool = False


def log_table(source: str, place: str, open_lake: Callable[[], Lake]) -> pl.DataFrame:
    """The rows of a file, or of a table of a project's lake.

    Args:
        source: A path, or `lake:TABLE`.
        place: The option that names it.
        open_lake: The lake, where one is asked for.

    Raises:
        NotFound: there is no such file or table.
    """
    if source.startswith(_LAKE):
        return open_lake().read(source.removeprefix(_LAKE))
    if not source:
        raise UserMistake(place, "is empty", "Give the path of a file.")
    return read_table(Path(source))


def read_log(predictions: pl.DataFrame, outcomes: pl.DataFrame | None, log: Log) -> pl.DataFrame:
    """The log in the order of time, with what Vitok calls time, id, label and the moment the label came."""
    for name in (log.time, log.score):
        _require(predictions, name, "--predictions")
    rows = predictions.with_columns(_instants(predictions[log.time]).alias(TIME))
    if (lost := rows[TIME].null_count()) > 0:
        raise DataMistake(f"column {log.time}", f"{lost} rows have no time", "Leave them out, or mend them.")
    if outcomes is not None:
        for name in (log.id, log.label):
            _require(outcomes, name, "--outcomes")
        _require(predictions, log.id, "--predictions")
        rows = _with_outcomes(rows.drop(log.label, strict=False), outcomes, log)
    elif log.label in rows.columns:
        known = (
            rows[TIME]
            if log.label_time is None
            else _instants(_require(rows, log.label_time, "--predictions"))
        )
        rows = rows.with_columns(pl.col(log.label).alias(LABEL), known.alias(KNOWN))
    else:
        rows = rows.with_columns(pl.lit(None, dtype=pl.Float64).alias(LABEL), pl.col(TIME).alias(KNOWN))
    if log.id in rows.columns:
        rows = rows.with_columns(pl.col(log.id).cast(pl.String).alias(ID))
    else:
        rows = rows.with_columns(pl.format("row-{}", pl.int_range(pl.len())).alias(ID))
    if not rows[log.score].dtype.is_numeric():
        raise DataMistake(
            f"column {log.score}", f"is {rows[log.score].dtype}, no number", "Name the score with --score."
        )
    return rows.sort(TIME, maintain_order=True)


def _with_outcomes(rows: pl.DataFrame, outcomes: pl.DataFrame, log: Log) -> pl.DataFrame:
    """Of several outcomes of one id the first counts, as in the journal."""
    known = outcomes.filter(pl.col(log.label).is_not_null())
    found = known.select(
        pl.col(log.id).cast(pl.String).alias(ID),
        pl.col(log.label).alias(LABEL),
        (
            pl.lit(None, dtype=pl.Datetime("us", "UTC"))
            if log.label_time is None
            else _instants(_require(known, log.label_time, "--outcomes"))
        ).alias(KNOWN),
    ).unique(ID, keep="first", maintain_order=True)
    joined = rows.with_columns(pl.col(log.id).cast(pl.String).alias(ID)).join(
        found, on=ID, how="left", maintain_order="left"
    )
    if joined.height and joined[LABEL].null_count() == joined.height:
        raise DataMistake(
            "--outcomes",
            f"no outcome joins a prediction by {log.id!r}",
            "Check the ids of both tables with --id.",
        )
    return joined.with_columns(pl.col(KNOWN).fill_null(pl.col(TIME)))


def _instants(column: pl.Series) -> pl.Series:
    """A column as UTC instants; dates are their midnight, times without a zone are UTC."""
    times = time_column(column).cast(pl.Datetime("us")) if column.dtype == pl.Date else time_column(column)
    naive = times.dtype.time_zone is None  # type: ignore[attr-defined]
    return times.dt.replace_time_zone("UTC") if naive else times.dt.convert_time_zone("UTC")


def _require(frame: pl.DataFrame, name: str, place: str) -> pl.Series:
    if name not in frame.columns:
        hint = did_you_mean(name, frame.columns) or f"Columns: {', '.join(frame.columns[:20])}."
        raise DataMistake(place, f"has no column {name!r}", hint)
    return frame[name]


def first_part(times: pl.Series) -> datetime:
    """The moment at which a quarter of the rows is over."""
    return cast(datetime, times[int(len(times) * _FIRST_PART)])


def task_of(then: pl.DataFrame, now: pl.DataFrame, label: str) -> tuple[TaskKind, Classes]:
    """Two labels make a binary task, numbers beyond two a regression; without labels scores of 0 to 1 are chances."""
    labels = pl.concat([then[LABEL], now[LABEL]]).drop_nulls().alias(label)
    if len(labels) == 0:
        return "binary", Classes("binary", (False, True))
    if labels.n_unique() <= 2:
        return "binary", find_classes(labels, "binary", None)
    if labels.dtype.is_numeric():
        return "regression", Classes("regression", ())
    what = (
        f"has {labels.n_unique()} classes: {', '.join(map(repr, labels.unique().sort().head(5).to_list()))}"
    )
    raise UserMistake(
        "--label", what, "Give one class against the rest as a column of true and false, and its score."
    )


def fields_of(then: pl.DataFrame, log: Log) -> list[Field]:
    """The inputs: all columns of the log that are nothing else."""
    used = {log.id, log.time, log.score, log.label, log.label_time, *log.exclude, TIME, ID, LABEL, KNOWN}
    fields = []
    for name, kind in then.schema.items():
        if name in used or kind.is_temporal() or kind.is_nested():
            continue
        if kind == pl.Boolean:
            fields.append(Field(name, "boolean", nullable=True))
        elif kind.is_numeric():
            fields.append(Field(name, "number", nullable=True))
        elif is_image(then[name]):
            fields.append(Field(name, "category", nullable=True, example=EXAMPLE))
        else:
            common = then[name].drop_nulls().cast(pl.String).value_counts(sort=True)[name].head(_LEVELS)
            fields.append(Field(name, "category", nullable=True, levels=common.to_list()))
    for name in log.slices:
        _require(then.select([field.name for field in fields]), name, "--slices")
    return fields
