"""The rows that a version was judged on, read back from the lake, and its answers on them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import polars as pl
from sqlalchemy import Connection

from vitok.charter.dataset import Split
from vitok.charter.model import Task
from vitok.charter.review import main_metric
from vitok.data.snapshot import TABLE
from vitok.data.splits import Parts
from vitok.data.target import Classes
from vitok.errors import DataMistake, NotFound
from vitok.kernel.clock import parse_duration
from vitok.loop.prepare import divide
from vitok.loop.project import Project
from vitok.loop.verdict import scored_by
from vitok.model.bundle import Manifest, load_manifest
from vitok.model.runtime import Model, load_model
from vitok.registry import charters, releases, versions
from vitok.stats.estimates import estimate
from vitok.stats.scores import Scored
from vitok.store.lake import Lake

_AGREE = (
    1e-6  # relative: the same bytes on the same rows differ by no more than float32 sums in another order
)

YEAR = parse_duration("1y").total_seconds()
Basis = Literal["production", "accepted"]


@dataclass(frozen=True)
class Judged:
    """A version on the rows of its own verdict.

    Args:
        version: As registered.
        manifest: What its bundle says.
        model: The bundle, ready to score.
        frame: All labelled rows of its snapshot.
        truth: Codes or values of the target, shape (n,).
        parts: Row numbers of training, validation and test, as in its turn.
        scored: Its answers on the test rows, by the costs of the present charter.
    """

    version: versions.Version
    manifest: Manifest
    model: Model
    frame: pl.DataFrame
    truth: np.ndarray
    parts: Parts
    scored: Scored


def version_in_use(project: Project) -> tuple[versions.Version, Basis] | None:
    """The version in production; if there is none, the latest accepted one; None without either."""
    with project.engine.connect() as connection:
        release = releases.current(connection)
        if release is not None:
            return versions.get(connection, release.version), "production"
        accepted = [version for version in versions.all_versions(connection) if version.verdict == "accepted"]
    return (accepted[-1], "accepted") if accepted else None


def rejudge(project: Project, version: versions.Version) -> Judged:
    """Reads a version's rows back, and lets it answer its test rows again.

    Split and task are those of the charter that the version was made by; costs are those of the present one.

    Raises:
        NotFound: the snapshot is not in the lake any more.
        DataMistake: the answers differ from those of the verdict, so that the rows cannot be the same.
    """
    manifest = load_manifest(project.blobs, version.digest)
    frame = _snapshot(project.lake, version, manifest)
    with project.engine.connect() as connection:
        task, division = _as_it_was(connection, project, version)
    classes = Classes(manifest.task, tuple(manifest.classes))  # type: ignore[arg-type]
    truth = classes.encode(frame[manifest.target])
    parts = divide(frame, truth, classes, task.time, division, manifest.seed)
    model = load_model(project.blobs, version.digest, version=version.number)
    scored = scored_by(project, model, frame[parts.test], truth[parts.test])
    _require_the_same(version, scored, main_metric(project.charter))
    return Judged(version, manifest, model, frame, truth, parts, scored)


def _snapshot(lake: Lake, version: versions.Version, manifest: Manifest) -> pl.DataFrame:
    kept = manifest.data.get("table_version")
    place = f"version {version.number}, data version {kept}"
    remedy = "Make a new version with `vitok run`."
    if kept is None:
        raise NotFound(place, "its rows were not kept", remedy)
    try:
        frame = lake.read(TABLE, int(kept))
    except NotFound as error:
        raise NotFound(place, "its rows are not in the lake any more", remedy) from error
    if frame.height != manifest.data["rows"]:
        what = f"the lake has {frame.height} rows of it, the verdict had {manifest.data['rows']}"
        raise DataMistake(place, what, remedy)
    return frame


def _as_it_was(connection: Connection, project: Project, version: versions.Version) -> tuple[Task, Split]:
    """Task and split of the charter by which the version was made."""
    number = version.summary.get("charter_version")
    if number is None:  # made before charters were numbered
        return project.charter.task, project.charter.data.split
    content: dict[str, Any] = charters.get(connection, number).content
    return Task.model_validate(content["task"]), Split.model_validate(content["data"]["split"])


def _require_the_same(version: versions.Version, scored: Scored, metric: str) -> None:
    """Compares the main metric with the verdict's."""
    kept = version.metrics.get(metric)
    if kept is None:
        return
    found = estimate(metric, scored).value
    if abs(found - kept["value"]) > _AGREE * max(1.0, abs(kept["value"])):
        raise DataMistake(
            f"version {version.number}",
            f"its test rows could not be rebuilt: {metric} {found:.6g}, at the verdict {kept['value']:.6g}",
            "Make a new version with `vitok run`.",
        )


def rows_per_year(manifest: Manifest) -> float | None:
    """Labelled rows a year in a version's snapshot, from its first to its last moment; None without a time."""
    start, end = manifest.data.get("start"), manifest.data.get("end")
    if start is None or end is None:
        return None
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    return float(manifest.data["rows"]) * YEAR / seconds if seconds > 0 else None
