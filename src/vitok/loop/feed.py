"""History as production would have seen it: rows of a step, and their labels, in the journal's columns."""

import json
from datetime import datetime

import numpy as np
import polars as pl

from vitok.charter.model import Charter
from vitok.data.snapshot import label_known
from vitok.journal.records import Outcome, as_text
from vitok.model.bundle import Manifest
from vitok.model.runtime import Model

# Names that no table of a user has: a colon is no part of theirs.
TIME, ID, UNIT, KNOWN = "vitok:time", "vitok:id", "vitok:unit", "vitok:known"


def history(rows: pl.DataFrame, charter: Charter, start: datetime, end: datetime) -> pl.DataFrame:
    """The rows of a span in the order of their times, with id, unit, and the moment their label is known.

    Args:
        rows: All rows of the sources; a row without an id column gets its number as id.
        charter: With `task.time`.
    """
    task, known = charter.task, label_known(charter)
    assert known is not None
    assert task.time is not None
    identity = pl.col(task.id) if task.id else pl.format("row-{}", pl.int_range(pl.len()))
    unit = pl.col(task.entity) if task.entity else identity
    feed = rows.with_columns(
        pl.col(task.time).alias(TIME),
        identity.cast(pl.String).alias(ID),
        unit.cast(pl.String).fill_null(identity.cast(pl.String)).alias(UNIT),
        pl.when(pl.col(task.target).is_not_null()).then(known).alias(KNOWN),
    )
    return feed.filter((pl.col(TIME) >= start) & (pl.col(TIME) < end)).sort(TIME, maintain_order=True)


def between(frame: pl.DataFrame, column: str, start: datetime, end: datetime) -> pl.DataFrame:
    """Rows of a sorted frame from `start` (included; labels: excluded at the very moment before) to `end`."""
    series = frame[column]
    low, high = series.search_sorted(start, "left"), series.search_sorted(end, "left")
    return frame.slice(int(low), int(high) - int(low))


def inputs_of(rows: pl.DataFrame, manifest: Manifest) -> pl.DataFrame:
    """The model's inputs as the journal keeps them: times as ISO 8601 text, the rest as it is."""
    fields = manifest.inputs
    times = [pl.col(f.name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") for f in fields if f.kind == "time"]
    return rows.select(field.name for field in fields).with_columns(times)


def journal_rows(rows: pl.DataFrame, model: Model, scores: np.ndarray) -> pl.DataFrame:
    """Scored rows in the journal's columns, as the workers write them.

    Args:
        rows: As `history` gives them.
    """
    inputs = inputs_of(rows, model.manifest)
    decisions = [as_text(value) for value in model.decide(scores)]
    many = scores.ndim == 2
    return pl.DataFrame(
        {
            "id": rows[ID],
            "unit": rows[UNIT],
            "time": rows[TIME],
            "score": pl.Series([None] * len(scores), dtype=pl.Float64) if many else pl.Series(scores),
            "proba": pl.Series(scores.tolist() if many else [None] * len(scores), dtype=pl.List(pl.Float64)),
            "decision": decisions,
            "inputs": inputs.select(pl.struct(pl.all()).struct.json_encode()).to_series(),
        }
    )


def outcome_rows(outcomes: list[Outcome]) -> pl.DataFrame:
    """Outcomes in the journal's columns."""
    return pl.DataFrame(
        {
            "id": [outcome.id for outcome in outcomes],
            "value": [json.dumps(outcome.value) for outcome in outcomes],
            "time": pl.Series([outcome.time for outcome in outcomes], dtype=pl.Datetime("us", "UTC")),
        }
    )
