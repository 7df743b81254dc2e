"""A snapshot: the labelled rows that are known at one moment, validated, versioned, readable as they were."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Literal

import polars as pl

from vitok.charter.model import Charter
from vitok.data import expectations as expecting
from vitok.data.sources import query_sources
from vitok.errors import DataMistake, NotFound
from vitok.store.lake import Lake

TABLE = "snapshots"
_YEAR = timedelta(days=365.2425)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows to learn from.

    Args:
        frame: Labelled rows, sorted by time if there is one.
        version: Version of the lake table that holds them; None if they were not kept.
        digest: SHA-256 of the rows.
        start, end: Times of the first and the last row, or None.
        left_out: How many rows were not used, by reason.
        lost_cells: How many cells of each column did not read as its type.
    """

    frame: pl.DataFrame
    version: int | None
    digest: str
    start: datetime | None
    end: datetime | None
    left_out: dict[str, int]
    lost_cells: dict[str, int]


def read_rows(folder: Path, charter: Charter, place: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """All rows of the charter's sources, in the types that the project expects.

    Returns:
        The rows, and how many cells of each column were lost in coercion.

    Raises:
        DataMistake: sources, query, or a column that the charter names do not fit.
    """
    frame = query_sources(folder, charter.data.sources, charter.data.query, place)
    require_columns(frame, charter)
    expected = load_expectations(folder, charter)
    task = charter.task
    for name in (task.time, task.label_time):
        if name is not None and frame[name].null_count() < frame.height:
            frame = frame.with_columns(time_column(frame[name]))
    if charter.data.query is not None:
        frame = _in_one_order(frame, charter)
    return expecting.coerce(frame, expected)


def _in_one_order(frame: pl.DataFrame, charter: Charter) -> pl.DataFrame:
    """The rows of a query in an order that depends on their content alone.

    Joins give rows in any order, and everything after it, from the digest to the trees, would differ from run to run.
    """
    task = charter.task
    keys = [task.id] if task.id is not None else frame.columns
    return frame.sort(
        *([task.time] if task.time is not None else []), *keys, nulls_last=True, maintain_order=True
    )


def load_expectations(folder: Path, charter: Charter) -> expecting.Expectations:
    """Reads the project's expectations.

    Raises:
        NotFound: the file is missing.
        DataMistake: it does not parse.
    """
    path = folder / charter.data.expect
    if not path.is_file():
        raise NotFound(
            str(path),
            "the expectations are missing",
            "Run `vitok init` anew, or write them; docs/data.md shows how.",
        )
    return expecting.from_yaml(path.read_text(encoding="utf-8"), charter.data.expect)


def require_columns(frame: pl.DataFrame, charter: Charter) -> None:
    """Checks that each column that the charter names is there, and that ids do not repeat.

    Raises:
        DataMistake: one is missing, or the id column has duplicates.
    """
    task, data = charter.task, charter.data
    named = [
        ("task.target", task.target),
        ("task.id", task.id),
        ("task.time", task.time),
        ("task.entity", task.entity),
    ]
    named += [("task.label_time", task.label_time)]
    named += [
        (f"data.{key}", name) for key in ("personal", "exclude", "trusted") for name in getattr(data, key)
    ]
    for key, name in named:
        if name is not None and name not in frame.columns:
            near = f"Columns: {', '.join(frame.columns[:30])}."
            raise DataMistake(key, f"there is no column {name!r}", near)
    if task.id is not None and (repeated := frame[task.id].is_duplicated().arg_true()).len():
        rows = repeated.head(3).to_list()
        value = frame[task.id][rows[0]]
        raise DataMistake(
            f"column {task.id}",
            f"ids repeat: {repeated.len()} rows, first rows {rows} with {value!r}",
            "Remove duplicates, or name another task.id.",
        )


def time_column(series: pl.Series) -> pl.Series:
    """A column as instants.

    Raises:
        DataMistake: a value that is present is no time.
    """
    times = series if series.dtype.is_temporal() else expecting.as_times(series)
    broken = times.is_null() & series.is_not_null()
    if broken.any():
        rows = broken.arg_true().head(3).to_list()
        raise DataMistake(
            f"column {series.name}",
            f"{broken.sum()} values are no time, first rows {rows} with {series.gather(rows).to_list()}",
            "Write ISO 8601 such as 2013-03-01T06:00:00Z, or name another column.",
        )
    return times


def label_known(charter: Charter) -> pl.Expr | None:
    """The moment at which each row's label is known, or None if the charter has no time."""
    task = charter.task
    if task.label_time is not None:
        return pl.col(task.label_time)
    if task.time is not None:
        return pl.col(task.time) + (task.label_delay or timedelta())
    return None


def take_snapshot(
    rows: pl.DataFrame,
    lost_cells: dict[str, int],
    charter: Charter,
    expected: expecting.Expectations,
    lake: Lake | None,
    *,
    as_of: datetime,
    window: timedelta | Literal["all"],
    season: timedelta | None = None,
) -> Snapshot:
    """Selects what may be learnt from at a moment, and stores it as a new version of the lake table.

    Args:
        rows: All rows, as `read_rows` gives them.
        expected: What the selected rows must hold.
        lake: Where to keep them; None for a look that keeps nothing.
        as_of: Only rows whose label is known by then count.
        window: Only rows of the last period, or all.
        season: Besides the last period, rows of earlier years that lie so near to the same day of the year.

    Raises:
        DataMistake: too few rows remain, or they do not meet the expectations.
    """
    time, target = charter.task.time, charter.task.target
    frame, left_out = rows, {}
    known = label_known(charter)
    steps: list[tuple[str, pl.Expr]] = []
    if time is not None and known is not None:
        steps = [
            ("without a time", pl.col(time).is_not_null()),
            ("later than the moment", pl.col(time) < as_of),
        ]
        if window != "all":
            inside = pl.col(time) >= as_of - window
            if season is not None:
                inside |= _same_season(pl.col(time), as_of, season)
            steps.append(("outside of the training window", inside))
        steps.append(("label not yet known", (known <= as_of) | known.is_null()))
    steps.append(("without a label", pl.col(target).is_not_null()))
    for reason, keep in steps:
        kept = frame.filter(keep)
        if kept.height < frame.height:
            left_out[reason] = frame.height - kept.height
        frame = kept
    if frame.height < 2:
        why = (
            ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "the sources hold no more"
        )
        raise DataMistake(
            "data",
            f"{frame.height} labelled rows remain of {rows.height} ({why})",
            "Give more labelled rows, or a later --as-of.",
        )
    expecting.enforce(frame, expected, charter.data.expect)
    if time is not None:
        frame = frame.sort(time, maintain_order=True)
    version = None if lake is None else lake.write_version(TABLE, frame)
    start, end = (frame[time][0], frame[time][-1]) if time is not None else (None, None)
    return Snapshot(frame, version, digest_frame(frame), start, end, left_out, lost_cells)


def _same_season(time: pl.Expr, as_of: datetime, season: timedelta) -> pl.Expr:
    """Rows of earlier years that are at most so far from an anniversary of the moment."""
    year, near = int(_YEAR.total_seconds()), int(season.total_seconds())
    age = int(as_of.timestamp()) - time.dt.epoch("s")
    phase = age % year
    return (age >= year - near) & ((phase <= near) | (phase >= year - near))


def digest_frame(frame: pl.DataFrame) -> str:
    """SHA-256 of a frame's columns and rows."""
    buffer = BytesIO()
    frame.rechunk().write_ipc(buffer, compression="uncompressed")
    return hashlib.sha256(buffer.getbuffer()).hexdigest()
