"""Batch prediction: a file in, a file out, by the plan in force, and everything in the journal."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from vitok.data import expectations as expecting
from vitok.data.sources import read_table
from vitok.errors import DataMistake, NotFound
from vitok.journal.mover import move
from vitok.journal.records import Prediction, as_text
from vitok.journal.spool import Spool
from vitok.kernel.clock import stopwatch
from vitok.kernel.ids import new_id
from vitok.loop.feed import inputs_of
from vitok.loop.outcomes import JOURNAL
from vitok.loop.project import Project
from vitok.model.bundle import Manifest
from vitok.model.runtime import Model, load_model
from vitok.registry import releases
from vitok.release.plan import Arm, Plan
from vitok.release.route import route_many
from vitok.store.blobs import write_atomically

_KINDS: dict[str, expecting.Kind] = {
    "number": "number",
    "category": "text",
    "boolean": "boolean",
    "time": "time",
}
_CHUNK = 20_000


def predict_file(project: Project, source: Path, output: Path) -> dict[str, Any]:
    """Predicts every row of a table.

    The output has the columns `id`, `score` (or one per class), `decision` and `version`; it appears when it is
    complete and its predictions are in the journal.

    Args:
        source: CSV, Parquet or JSON-lines file with the model's inputs.
        output: CSV or Parquet file.

    Returns:
        The object that `vitok predict --json` prints.

    Raises:
        NotFound: nothing is in production, or no such file.
        DataMistake: an input is missing, or is null where training rows never were.
    """
    started = stopwatch()
    if output.suffix.lower() not in (".csv", ".parquet"):
        raise DataMistake(str(output), f"has the unknown ending {output.suffix!r}", "Use .csv or .parquet.")
    with project.engine.connect() as connection:
        release = releases.current(connection)
    if release is None:
        raise NotFound("predict", "no version is in production", "Release one with `vitok release VERSION`.")
    plan = release.plan
    models = {
        arm.digest: load_model(project.blobs, arm.digest, threads=2, version=arm.version) for arm in plan.live
    }
    manifest = models[plan.champion.digest].manifest
    rows, unread = _rows(read_table(source), manifest, source)
    results = [_predict_part(project, plan, models, part) for part in rows.iter_slices(_CHUNK)]
    _journal(project, [record for _, records in results for record in records])
    frame = pl.concat([frame for frame, _ in results])
    write_atomically(output, _as_bytes(frame, output))
    return {
        "rows": frame.height,
        "seconds": round(stopwatch() - started, 3),
        "version": plan.champion.version,
        "output": str(output),
        "unread_cells": unread,
    }


def _rows(frame: pl.DataFrame, manifest: Manifest, source: Path) -> tuple[pl.DataFrame, dict[str, int]]:
    """The rows in the types of the model; and how many cells did not read as their type."""
    if frame.height == 0:
        raise DataMistake(str(source), "has no rows", "Give rows to predict.")
    missing = [field.name for field in manifest.inputs if field.name not in frame.columns]
    if missing:
        raise DataMistake(
            str(source),
            f"lacks {len(missing)} input(s) of the model: {', '.join(missing)}",
            "Add the column(s).",
        )
    columns = {field.name: expecting.Column(type=_KINDS[field.kind]) for field in manifest.inputs}
    if manifest.time is not None and manifest.time in frame.columns:
        columns[manifest.time] = expecting.Column(type="time")
    frame, unread = expecting.coerce(frame, expecting.Expectations(columns=columns))
    for field in manifest.inputs:
        if not field.nullable and (gaps := frame[field.name].is_null().arg_true()).len():
            rows = gaps.head(3).to_list()
            raise DataMistake(
                f"{source} column {field.name}",
                f"{gaps.len()} value(s) are missing, first rows {rows}",
                "Training rows always had it: fill it.",
            )
    return frame, unread


def _predict_part(
    project: Project, plan: Plan, models: dict[str, Model], rows: pl.DataFrame
) -> tuple[pl.DataFrame, list[Prediction]]:
    now = project.clock()
    manifest = models[plan.champion.digest].manifest
    ids = _texts(rows, manifest.id) or [new_id(now) for _ in range(rows.height)]
    units = _texts(rows, manifest.entity) or ids
    times = (
        rows[manifest.time].to_list()
        if manifest.time is not None and manifest.time in rows.columns
        else [now] * rows.height
    )
    arms = route_many(plan, units)
    records: list[Prediction | None] = [None] * rows.height
    for index in np.unique(arms):
        arm, places = plan.arms[index], np.flatnonzero(arms == index)
        scores = models[arm.digest].score_frame(rows[places])
        for place, record in zip(
            places, _records(models[arm.digest], arm, plan, rows[places], scores), strict=True
        ):
            identity: dict[str, Any] = {
                "id": ids[place],
                "unit": units[place],
                "time": times[place] or now,
                "received": now,
            }
            records[place] = Prediction(**identity, **record)
    done = [record for record in records if record is not None]
    return _output(done, manifest), done


def _texts(rows: pl.DataFrame, name: str | None) -> list[str] | None:
    if name is None or name not in rows.columns or rows[name].null_count():
        return None
    return rows[name].cast(pl.String).to_list()


def _records(
    model: Model, arm: Arm, plan: Plan, rows: pl.DataFrame, scores: np.ndarray
) -> Iterator[dict[str, Any]]:
    decisions = model.decide(scores)
    for inputs, score, decision in zip(
        inputs_of(rows, model.manifest).to_dicts(), scores.tolist(), decisions, strict=True
    ):
        yield {
            "version": arm.version,
            "digest": arm.digest,
            "role": arm.role,
            "epoch": plan.epoch,
            "worker": "batch",
            "inputs": inputs,
            "score": score,
            "decision": decision,
        }


def _output(records: list[Prediction], manifest: Manifest) -> pl.DataFrame:
    columns: dict[str, Any] = {"id": [record.id for record in records]}
    if manifest.task == "multiclass":
        for place, value in enumerate(manifest.classes):
            columns[f"score_{as_text(value)}"] = [record.score[place] for record in records]  # type: ignore[index]
    else:
        columns["score"] = [record.score for record in records]
    columns["decision"] = [record.decision for record in records]
    columns["version"] = [record.version for record in records]
    return pl.DataFrame(columns)


def _journal(project: Project, records: list[Prediction]) -> None:
    folder = project.state / JOURNAL
    spool = Spool(folder, f"batch-{new_id(project.clock())}")
    try:
        for start in range(0, len(records), _CHUNK):
            spool.append(records[start : start + _CHUNK])
    finally:
        spool.close()
    move(folder, project.lake, project.clock())


def _as_bytes(frame: pl.DataFrame, output: Path) -> bytes:
    buffer = BytesIO()
    if output.suffix.lower() == ".csv":
        frame.write_csv(buffer)
    else:
        frame.write_parquet(buffer)
    return buffer.getvalue()
