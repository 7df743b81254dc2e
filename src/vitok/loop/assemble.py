"""From the best fitted candidate to a stored bundle."""

import json
import subprocess
from dataclasses import dataclass

import numpy as np

import vitok
from vitok.errors import DataMistake, Refused
from vitok.kernel.clock import format_time
from vitok.loop.fitted import Fitted
from vitok.loop.prepare import Prepared
from vitok.loop.project import Project
from vitok.loop.reference import reference_files
from vitok.model.bundle import (
    FEATURES,
    FORMAT,
    INTERVALS,
    MODEL,
    OUTLIERS,
    REFERENCE,
    Field,
    Manifest,
    load_manifest,
    store_bundle,
)
from vitok.model.environment import environment
from vitok.model.package import Graph
from vitok.stats.conformal import fit_sets, fit_shares, fit_values
from vitok.stats.outlier_fit import fit_outliers
from vitok.stats.profiles import Reference
from vitok.stats.scores import Undecidable
from vitok.stats.thresholds import best_threshold


@dataclass(frozen=True)
class Assembled:
    """A stored bundle that waits for its verdict.

    Args:
        digest: Of the bundle.
        manifest: What it says of itself.
        chosen: Name of the candidate inside.
        skipped: Better candidates that could not be packaged, with the reason.
    """

    digest: str
    manifest: Manifest
    chosen: str
    skipped: dict[str, str]


def assemble(project: Project, prepared: Prepared, candidates: list[Fitted]) -> Assembled:
    """Makes a bundle of the first candidate that can be shipped.

    Args:
        candidates: Best first.

    Raises:
        Refused: none can be packaged.
    """
    skipped: dict[str, str] = {}
    for chosen in candidates:
        if chosen.graph is None:
            skipped[chosen.name] = chosen.problem
            continue
        digest = _store(project, prepared, chosen, chosen.graph)
        return Assembled(digest, load_manifest(project.blobs, digest), chosen.name, skipped)
    reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
    raise Refused("packaging", f"no candidate can be shipped: {reasons}", "Choose other candidates.")


def _store(project: Project, prepared: Prepared, chosen: Fitted, graph: Graph) -> str:
    files = {MODEL: graph.content, **reference_files(project, prepared, chosen)}
    intervals = _intervals(project.charter.decide.interval, prepared, chosen)
    if intervals is not None:
        files[INTERVALS] = intervals
    outliers = _outliers(prepared, files[REFERENCE])
    if outliers is not None:
        files[OUTLIERS] = outliers
    if prepared.feature_source is not None:
        files[FEATURES] = prepared.feature_source.encode()
    return store_bundle(project.blobs, _manifest(project, prepared, chosen, graph), files)


def _intervals(level: float, prepared: Prepared, chosen: Fitted) -> bytes | None:
    """How sure scores are, by the rows that no fit has seen; None if they are too few."""
    test, task = prepared.parts.test, prepared.classes.task
    truth, scores = prepared.truth[test], chosen.on_test
    try:
        if task == "binary":
            found = fit_shares(truth == 1, scores, level)
        elif task == "multiclass":
            found = fit_sets(truth.astype(np.int64), scores, level)
        else:
            found = fit_values(truth.astype(np.float64), scores, level)
    except Undecidable:
        return None
    return json.dumps(found.to_json(), sort_keys=True).encode()


def _outliers(prepared: Prepared, reference: bytes) -> bytes | None:
    """How unlike the training rows a row is, by the held-out rows; None if they are too few to tell."""
    held_out = np.sort(np.concatenate([prepared.parts.validation, prepared.parts.test]))
    names = [field.name for field in prepared.inputs]
    try:
        found = fit_outliers(
            Reference.from_json(json.loads(reference)), names, prepared.snapshot.frame[held_out]
        )
    except Undecidable:
        return None
    return json.dumps(found.to_json(), sort_keys=True, allow_nan=False).encode()


def _manifest(project: Project, prepared: Prepared, chosen: Fitted, graph: Graph) -> Manifest:
    charter, task, snapshot = project.charter, project.charter.task, prepared.snapshot
    features = [Field(name, kind, nullable=True) for name, kind in prepared.columns.kinds.items()]
    span = [format_time(t) if t else None for t in (snapshot.start, snapshot.end)]
    binary = prepared.classes.task == "binary"
    return Manifest(
        format=FORMAT,
        project=charter.project,
        task=task.type,
        target=task.target,
        id=task.id,
        entity=task.entity,
        time=task.time,
        algorithm=chosen.name,
        parameters=chosen.parameters,
        inputs=prepared.inputs,
        features=features,
        feature_function=prepared.feature_function,
        output=graph.output,
        classes=list(prepared.classes.values),
        positive=1 if binary else None,
        threshold=choose_threshold(project, prepared, chosen) if binary else None,
        files={},
        metrics={f"validation_{chosen.metric}": chosen.validation},
        parity=graph.parity,
        seed=charter.train.seed,
        charter=project.document.digest,
        data={
            "table_version": snapshot.version,
            "digest": snapshot.digest,
            "rows": snapshot.frame.height,
            "start": span[0],
            "end": span[1],
        },
        code={"vitok": vitok.__version__, "commit": _commit(project)},
        environment=environment(),
        created=format_time(project.clock()),
    )


def choose_threshold(project: Project, prepared: Prepared, chosen: Fitted) -> float:
    """The charter's threshold, or the best one on the validation rows."""
    decide = project.charter.decide
    if decide.threshold != "best":
        return float(decide.threshold)
    validation = prepared.parts.validation
    try:
        return best_threshold(prepared.truth[validation], chosen.on_validation, cost_tuple(project))
    except Undecidable as error:
        raise DataMistake(
            "decide.threshold", f"cannot be chosen: {error}", "Give more rows, or a number as threshold."
        ) from error


def cost_tuple(project: Project) -> tuple[float, float, float, float] | None:
    """The charter's costs as (tp, fp, fn, tn), or None."""
    costs = project.charter.decide.costs
    return None if costs is None else (costs.tp, costs.fp, costs.fn, costs.tn)


def _commit(project: Project) -> str | None:
    command = ["git", "-C", str(project.folder), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None
