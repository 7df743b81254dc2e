"""How much a version leans on each input, on rows that it was not trained on, and whether that lasts."""

from datetime import datetime
from typing import Any

import polars as pl

from vitok.charter.review import main_metric
from vitok.errors import UserMistake
from vitok.journal.ledger import Ledger
from vitok.kernel.clock import format_time
from vitok.loop.assemble import cost_tuple
from vitok.loop.journals import JournalReader, answered_by, usable_labels
from vitok.loop.production import version_in_production
from vitok.loop.project import Project
from vitok.model.bundle import Manifest
from vitok.model.runtime import Model, load_model
from vitok.stats.catalogue import METRICS
from vitok.stats.estimates import estimate
from vitok.stats.importance import Importance, permutation_importance
from vitok.stats.scores import Scored, Undecidable

_ROWS = 3000
_LEAST_ROWS = 200
_TRUTH = "vitok:truth"


def importance_of(
    project: Project, digest: str, rows: pl.DataFrame, truth: pl.Series, *, seed: int = 0
) -> dict[str, Importance]:
    """What the main metric loses without each input; empty of too few rows, or where they cannot tell the metric.

    Args:
        rows: With the version's inputs, not used in its training; at most 3 000 are taken.
        truth: Codes or values of the rows.
        seed: Of the sample and the permutations.
    """
    model, metric = load_model(project.blobs, digest, threads=1), main_metric(project.charter)
    frame = rows.with_columns(truth.alias(_TRUTH))
    frame = frame.sample(min(frame.height, _ROWS), seed=seed)
    if frame.height < _LEAST_ROWS:
        return {}
    sign = 1 if METRICS[metric].higher_is_better else -1
    names = [field.name for field in model.manifest.inputs]
    costs = cost_tuple(project)
    try:
        return permutation_importance(
            frame, names, lambda some: sign * _quality(model, some, metric, costs), seed=seed
        )
    except Undecidable:
        return {}


def _quality(model: Model, frame: pl.DataFrame, metric: str, costs: Any) -> float:
    manifest, scores, truth = model.manifest, model.score_frame(frame), frame[_TRUTH].to_numpy()
    if manifest.task != "binary":
        scored = Scored(manifest.task, truth, scores)  # type: ignore[arg-type]
    else:
        scored = Scored(
            "binary", truth, scores, (scores >= (manifest.threshold or 0.0)).astype("int64"), costs
        )
    return estimate(metric, scored).value


def project_importance(
    project: Project, start: datetime, end: datetime, journal: JournalReader | None = None
) -> dict[str, Any]:
    """The object that `vitok importance --json` prints, for the version in production.

    Args:
        start, end: Period whose labelled rows are looked at.
        journal: None for the project's own.

    Returns:
        version, metric, rows, now_known, and for each input `then` and `now`, each null where it is not known, the
        most important first.

    Raises:
        NotFound: no version is in production.
        UserMistake: the period ends before it starts.
    """
    if start >= end:
        raise UserMistake("--from", f"{format_time(start)} is not before {format_time(end)}", "Swap them.")
    journal = journal or Ledger(project.lake)
    version = version_in_production(project, "importance")
    model = load_model(project.blobs, version.digest, threads=1)
    known = journal.labelled(start, end, as_of=project.clock(), with_inputs=True)
    rows = usable_labels(known.filter(answered_by(version.digest)), model.manifest)
    found = importance_of(project, version.digest, _inputs(journal, rows, model.manifest), rows["truth"])
    then = version.summary.get("importance", {})
    names = sorted({*then, *found}, key=lambda name: -max(then.get(name, {}).get("drop", 0.0), 0.0))
    return {
        "version": version.number,
        "metric": main_metric(project.charter),
        "rows": rows.height,
        "now_known": bool(found),
        "inputs": {
            name: {"then": then.get(name), "now": found[name].as_json() if name in found else None}
            for name in names
        },
    }


def _inputs(journal: JournalReader, rows: pl.DataFrame, manifest: Manifest) -> pl.DataFrame:
    return journal.inputs(rows, {field.name: field.kind for field in manifest.inputs})
