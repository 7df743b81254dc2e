"""History as production would have seen it: rows of a step, and their labels, in the journal's columns."""

import json
from datetime import datetime

import numpy as np
import polars as pl

from vitok.journal.records import Outcome, as_text
from vitok.model.runtime import Model


def between(frame: pl.DataFrame, column: str, start: datetime, end: datetime) -> pl.DataFrame:
    """Rows of a sorted frame from `start` (included; labels: excluded at the very moment before) to `end`."""
    series = frame[column]
    low, high = series.search_sorted(start, "left"), series.search_sorted(end, "left")
    return frame.slice(int(low), int(high) - int(low))


def journal_rows(rows: pl.DataFrame, model: Model, scores: np.ndarray) -> pl.DataFrame:
    """Scored rows in the journal's columns, as the workers write them.

    Args:
        rows: With the columns `_id`, `_unit`, `_time` besides the model's inputs.
    """
    fields = model.manifest.inputs
    times = [pl.col(f.name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") for f in fields if f.kind == "time"]
    inputs = rows.select(field.name for field in fields).with_columns(times)
    decisions = [as_text(value) for value in model.decide(scores)]
    many = scores.ndim == 2
    return pl.DataFrame(
        {
            "id": rows["_id"],
            "unit": rows["_unit"],
            "time": rows["_time"],
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
