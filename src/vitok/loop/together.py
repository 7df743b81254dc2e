"""Whether all inputs together moved: rows of a span of production against rows of the training data, told apart."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from vitok.errors import NotFound, VitokError
from vitok.journal.ledger import Ledger
from vitok.kernel.clock import parse_time
from vitok.loop.foretold import input_matrix
from vitok.loop.journals import JournalReader, answered_by
from vitok.loop.project import Project
from vitok.model.bundle import Manifest, load_manifest
from vitok.registry import versions
from vitok.stats.multivariate import apart
from vitok.stats.scores import Undecidable

_TABLE = "snapshots"
_ROWS = 5000
# Windows of the training data itself that are told apart from the rest of it: what is usual.
_USUAL = 3


def moved_together(
    project: Project, window: dict[str, Any], journal: JournalReader | None = None
) -> dict[str, Any]:
    """How well the rows of a span can be told apart from the version's training rows.

    Args:
        window: `start`, `end` and `version` as `vitok drift --json` gives them.
        journal: None for the project's own.

    Returns:
        auc (with its interval), rebuilt, leans_on, rows of both sides, and `usual`: the AUC of windows as long from the
        training data itself; or `undecidable` with the reason.

    Raises:
        NotFound: the training data is not kept.
    """
    with project.engine.connect() as connection:
        digest = versions.get(connection, window["version"]).digest
    manifest = load_manifest(project.blobs, digest)
    reference = _reference(project, manifest)
    start, end = parse_time(window["start"], "window"), parse_time(window["end"], "window")
    rows = (journal or Ledger(project.lake)).answers(start, end, with_inputs=True)
    rows = rows.filter(answered_by(digest))
    kinds = {field.name: field.kind for field in manifest.inputs if field.kind != "time"}
    now = (journal or Ledger(project.lake)).inputs(_some(rows), kinds)
    try:
        found = _apart(_some(reference), now, manifest)
    except Undecidable as error:
        return {"undecidable": str(error)}
    return {
        **found,
        "rows": [min(reference.height, _ROWS), now.height],
        "usual": _usual(reference, manifest, end - start),
    }


def _reference(project: Project, manifest: Manifest) -> pl.DataFrame:
    version = manifest.data.get("table_version")
    try:
        if version is None:
            raise NotFound("training data", "was not kept", "Train a version with this Vitok.")
        return project.lake.read(_TABLE, version)
    except NotFound:
        raise
    except VitokError as error:
        raise NotFound("training data", f"cannot be read: {error}", "Restore the lake.") from error


def _apart(reference: pl.DataFrame, now: pl.DataFrame, manifest: Manifest) -> dict[str, Any]:
    fields = [field for field in manifest.inputs if field.kind != "time"]
    then_matrix, categorical = input_matrix(reference, fields)
    now_matrix, _ = input_matrix(now, fields)
    names = tuple(field.name for field in fields)
    return apart(then_matrix, now_matrix, names, categorical=categorical).as_json()


def _usual(reference: pl.DataFrame, manifest: Manifest, width: timedelta) -> list[float]:
    """AUC of a few windows of the training data against the rest of it; none without times or rows enough."""
    if manifest.time is None or manifest.time not in reference.columns:
        return []
    times, found = reference[manifest.time], []
    first, last = times.min(), times.max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    for number in range(1, _USUAL + 1):
        start = first + (last - first - width) * number / (_USUAL + 1)
        inside = (times >= start) & (times < start + width)
        try:
            parts = _some(reference.filter(~inside)), _some(reference.filter(inside))
            found.append(round(_apart(*parts, manifest)["auc"]["value"], 4))
        except Undecidable:
            continue
    return found


def _some(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sample(min(rows.height, _ROWS), seed=0)
