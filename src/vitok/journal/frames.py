"""The journal's two tables: their columns, and how records become rows."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from vitok.errors import DataMistake
from vitok.journal.commits import Entry
from vitok.journal.records import as_text, decode_outcome

TIME = pl.Datetime("us", "UTC")
_PREDICTIONS: dict[str, Any] = {
    "worker": pl.String,
    "seq": pl.Int64,
    "id": pl.String,
    "unit": pl.String,
    "time": TIME,
    "received": TIME,
    "version": pl.Int64,
    "digest": pl.String,
    "role": pl.String,
    "epoch": pl.Int64,
    "score": pl.Float64,
    "proba": pl.List(pl.Float64),
    "decision": pl.String,
    "inputs": pl.String,
    "warnings": pl.String,
    "action": pl.String,
    "reason": pl.String,
    "routed": pl.Int64,
    "micros": pl.Int64,
    "together": pl.Int64,
}
_OUTCOMES: dict[str, Any] = {
    "worker": pl.String,
    "seq": pl.Int64,
    "id": pl.String,
    "value": pl.String,
    "time": TIME,
    "received": TIME,
    "replace": pl.Boolean,
    "followed": pl.Boolean,
}
PREDICTIONS, OUTCOMES = pl.Schema(_PREDICTIONS), pl.Schema(_OUTCOMES)
_DEFAULTS: dict[str, Any] = {
    "worker": "",
    "seq": 0,
    "version": 0,
    "digest": "",
    "role": "champion",
    "epoch": 0,
    "inputs": "{}",
    "warnings": "[]",
    "action": "model",
    "reason": "",
    "together": 1,
    "replace": False,
}
_TYPES: dict[str, pl.DataType] = {
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "category": pl.String(),
    "time": pl.String(),
}


class _Stored(msgspec.Struct):
    """A prediction as it lies in the spool; what stays JSON in the table is not decoded."""

    id: str
    unit: str
    time: datetime
    received: datetime
    version: int
    digest: str
    role: str
    epoch: int
    inputs: msgspec.Raw
    score: float | list[float] | None
    decision: str | int | float | bool | None
    warnings: msgspec.Raw = msgspec.Raw(b"[]")
    action: str = "model"
    reason: str = ""
    routed: int | None = None
    micros: int | None = None
    together: int = 1


_decode_prediction = msgspec.json.Decoder(_Stored).decode


def prediction_frame(entries: Iterable[tuple[str, Entry]]) -> pl.DataFrame:
    """Rows of the table `predictions` from pairs of worker and entry."""
    rows = []
    for worker, entry in entries:
        record = _decode_prediction(entry.body)
        is_scalar = not isinstance(record.score, list)
        rows.append(
            (
                worker,
                entry.seq,
                record.id,
                record.unit,
                record.time,
                record.received,
                record.version,
                record.digest,
                record.role,
                record.epoch,
                record.score if is_scalar else None,
                None if is_scalar else record.score,
                None if record.decision is None else as_text(record.decision),
                bytes(record.inputs).decode(),
                bytes(record.warnings).decode(),
                record.action,
                record.reason,
                record.routed,
                record.micros,
                record.together,
            )
        )
    return pl.DataFrame(rows, schema=PREDICTIONS, orient="row")


def outcome_frame(entries: Iterable[tuple[str, Entry]]) -> pl.DataFrame:
    """Rows of the table `outcomes` from pairs of worker and entry."""
    rows = []
    for worker, entry in entries:
        record = decode_outcome(entry.body)
        value = json.dumps(record.value)
        known = (record.id, value, record.time, record.received, record.replace, record.followed)
        rows.append((worker, entry.seq, *known))
    return pl.DataFrame(rows, schema=OUTCOMES, orient="row")


def conform(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """A frame with all columns of a journal table; what may be missing gets its neutral value.

    Raises:
        DataMistake: `id`, `time` or (outcomes) `value` is missing, or a column is not of the journal.
    """
    for name in ("id", "time", "value"):
        if name in schema and name not in frame.columns:
            raise DataMistake("journal", f"column {name!r} is missing", "Add it to the frame.")
    unknown = sorted(set(frame.columns) - set(schema))
    if unknown:
        raise DataMistake("journal", f"has no column {unknown[0]!r}", "Put inputs into `inputs` as JSON.")
    stand_ins = {"received": pl.col("time"), "unit": pl.col("id")}
    columns = []
    for name, kind in schema.items():
        source = pl.col(name) if name in frame.columns else stand_ins.get(name, pl.lit(_DEFAULTS.get(name)))
        columns.append(source.cast(kind).alias(name))
    return frame.select(columns)


def decode_inputs(frame: pl.DataFrame, kinds: Mapping[str, str]) -> pl.DataFrame:
    """The inputs of predictions as columns.

    Args:
        frame: Rows of `predictions`, with their column `inputs`.
        kinds: Name of each wanted input and its kind: `number`, `category`, `boolean` or `time`.

    Returns:
        One row for each row of the frame; null where an input was missing.
    """
    if not kinds:
        return pl.DataFrame(schema={})
    struct = pl.Struct({name: _TYPES[kind] for name, kind in kinds.items()})
    columns = frame.select(pl.col("inputs").str.json_decode(struct)).unnest("inputs")
    times = [name for name, kind in kinds.items() if kind == "time"]
    return columns.with_columns(
        pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC")
        for name in times
    )
