"""Where a model is clearly worse than elsewhere without anybody having named the place: found by labelled rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitok.charter.review import main_metric
from vitok.errors import UserMistake
from vitok.journal.ledger import Ledger
from vitok.kernel.clock import format_time
from vitok.loop.assemble import cost_tuple
from vitok.loop.foretold import input_matrix
from vitok.loop.journals import JournalReader, answered_by, scored_rows, usable_labels
from vitok.loop.production import version_in_production
from vitok.loop.project import Project
from vitok.model.bundle import Field, Manifest, load_manifest
from vitok.stats.blind_spots import LEAST_GROUP, Group, Inputs, find_groups, row_losses
from vitok.stats.catalogue import METRICS
from vitok.stats.estimates import Estimate, estimate
from vitok.stats.scores import Floats, Scored, Undecidable, payoffs
from vitok.stats.worse_groups import FOLDS, Judged, folds_of, judge_groups

MOST_ROWS, LEAST_ROWS = 50_000, 1000
ALPHA = 0.05
_LEAST_SHARE = 100  # of the rows that find: a group holds at least a hundredth of them


def project_blind_spots(
    project: Project,
    start: datetime | None,
    end: datetime | None,
    journal: JournalReader | None = None,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """The object that `vitok blind-spots --json` prints, for the version in production.

    Args:
        start, end: Period of the predictions; None for all. Of more than 50 000 labelled rows the latest are taken.
        journal: None for the project's own.
        seed: Of the split into rows that find and rows that judge.

    Returns:
        version, metric, rows, alpha, concession, looked_at (groups that were judged), blind_spots (condition, rows,
        share, inside, elsewhere, difference, p_value, cost), and why, if there are too few rows to look.

    Raises:
        NotFound: no version is in production.
        UserMistake: the period ends before it starts.
    """
    if start is not None and end is not None and start >= end:
        raise UserMistake("--from", f"{format_time(start)} is not before {format_time(end)}", "Swap them.")
    journal = journal or Ledger(project.lake)
    version = version_in_production(project, "blind-spots")
    manifest = load_manifest(project.blobs, version.digest)
    known = journal.labelled(start, end, as_of=project.clock(), with_inputs=True)
    rows = (
        usable_labels(known.filter(answered_by(version.digest)), manifest).sort("time", "id").tail(MOST_ROWS)
    )
    found: dict[str, Any] = {
        "version": version.number,
        "metric": main_metric(project.charter),
        "rows": rows.height,
        "alpha": ALPHA,
        "concession": project.charter.monitor.concession,
        "looked_at": 0,
        "blind_spots": [],
        "why": None,
    }
    if rows.height < LEAST_ROWS:
        return found | {"why": f"{rows.height} labelled rows are too few, {LEAST_ROWS} are needed"}
    inputs = _inputs(journal, rows, manifest)
    try:
        looked, spots = _looked(project, manifest, rows, inputs, seed)
    except Undecidable as error:
        return found | {"why": str(error)}
    return found | {"looked_at": looked, "blind_spots": spots}


def _looked(
    project: Project, manifest: Manifest, rows: pl.DataFrame, inputs: Inputs, seed: int
) -> tuple[int, list[dict[str, Any]]]:
    """How many groups were judged, and those that are worse, the worst first."""
    scored, metric = scored_rows(rows, manifest, cost_tuple(project)), main_metric(project.charter)
    folds = folds_of(rows["time"].dt.date().to_numpy(), seed)
    finds = folds < FOLDS // 2
    groups = find_groups(
        inputs.take(finds),
        row_losses(metric, scored.take(finds)),
        least_rows=max(LEAST_GROUP, int(np.count_nonzero(finds)) // _LEAST_SHARE),
    )
    others, left = scored.take(~finds), folds[~finds]
    masks = [group.mask(inputs.take(~finds)) for group in groups]
    judged = judge_groups(
        masks,
        left,
        lambda mask: estimate(metric, others.take(mask)).value,
        higher_is_better=METRICS[metric].higher_is_better,
        concession=project.charter.monitor.concession,
        alpha=ALPHA,
    )
    money = _money(others, masks, left)
    spots = [
        _spot(metric, group, group.mask(inputs), mask, others, each, cost)
        for group, mask, each, cost in zip(groups, masks, judged, money, strict=True)
        if each is not None and each.is_worse
    ]
    return len(groups), sorted(spots, key=lambda spot: spot["p_value"])


def _spot(
    metric: str,
    group: Group,
    everywhere: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    others: Scored,
    judged: Judged,
    cost: Estimate | None,
) -> dict[str, Any]:
    count = int(np.count_nonzero(everywhere))
    return {
        "condition": str(group),
        "rows": count,
        "share": round(count / len(everywhere), 4),
        "inside": estimate(metric, others.take(mask)).as_json(),
        "elsewhere": estimate(metric, others.take(~mask)).as_json(),
        "difference": judged.difference.as_json(),
        "p_value": judged.p_value,
        "cost": None
        if cost is None
        else {name: round(count * getattr(cost, name), 2) for name in ("value", "low", "high")},
    }


def _money(
    others: Scored, masks: Sequence[NDArray[np.bool_]], folds: NDArray[np.int64]
) -> list[Estimate | None]:
    """What wrong decisions cost more for each row of a group than elsewhere; None without costs."""
    if others.costs is None:
        return [None] * len(masks)
    lost = _lost(others)
    found = judge_groups(masks, folds, lambda mask: float(lost[mask].mean()), higher_is_better=False)
    return [None if each is None else each.difference for each in found]


def _lost(scored: Scored) -> Floats:
    """Shape (n,): money by which each decision is behind the right one."""
    assert scored.costs is not None
    right = np.where(scored.truth.astype(np.int64) == 1, scored.costs[0], scored.costs[3])
    return np.asarray(right - payoffs(scored) / 1000)


def _inputs(journal: JournalReader, rows: pl.DataFrame, manifest: Manifest) -> Inputs:
    fields = [field for field in manifest.inputs if field.kind != "time"]
    columns = journal.inputs(rows, {field.name: field.kind for field in fields})
    values, _ = input_matrix(columns, fields)
    levels = {field.name: _levels(field) for field in fields if field.kind in ("category", "boolean")}
    return Inputs(tuple(field.name for field in fields), values, levels)


def _levels(field: Field) -> tuple[str, ...]:
    return ("false", "true") if field.kind == "boolean" else tuple(map(str, field.levels))
