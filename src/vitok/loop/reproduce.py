"""Making a version again from what is kept of it, to see whether it comes out the same."""

from typing import Any

import numpy as np

from vitok.errors import UserMistake
from vitok.govern import audit
from vitok.kernel.clock import format_time
from vitok.loop.fitted import keep_fitted
from vitok.loop.history import keep_reproduction
from vitok.loop.pins import pinned_project
from vitok.loop.prepare import load_prepared
from vitok.loop.production import release_in_force
from vitok.loop.project import Project
from vitok.model.bundle import FEATURES, MODEL, load_manifest
from vitok.model.runtime import load_model
from vitok.registry import turns, versions
from vitok.train.fit import fit_candidate

_ALIKE = 1e-6  # of scores; the graph keeps single precision


def reproduce(project: Project, number: int | None = None, *, actor: str = "user") -> dict[str, Any]:
    """Fits a version again on its own data, with its parameters and its code, and compares the two.

    Args:
        number: Of the version; None for the one in production.

    Returns:
        The object that `vitok turns reproduce --json` prints: version, same, identical (byte for byte), difference
        (the largest of any score on the test rows), rows, sentence.

    Raises:
        NotFound: no such version, or its data is gone from the lake.
        UserMistake: its charter or code is not kept, and what lies in the project is another.
    """
    version = _version(project, number)
    manifest = load_manifest(project.blobs, version.digest)
    source = _as_it_was(project, version, manifest)
    data = {"version": manifest.data["table_version"], "digest": manifest.data["digest"]}
    prepared = load_prepared(source, {**data, "left_out": {}, "lost_cells": {}})
    trained = fit_candidate(
        manifest.algorithm,
        prepared.training_set(source.charter),
        metric=next(iter(manifest.metrics)).removeprefix("validation_"),
        sampler="tpe",
        trials=0,
        timeout_seconds=0,
        parameters=manifest.parameters,
        on_trial=lambda *_: None,
    )
    again = keep_fitted(prepared, trained, [], ships=True)
    before = load_model(project.blobs, version.digest, version=version.number)
    scores = before.score_frame(prepared.snapshot.frame[prepared.parts.test])
    difference = float(np.abs(scores - again.on_test).max())
    identical = again.graph is not None and again.graph.content == project.blobs.get(manifest.files[MODEL])
    return _told(project, version.number, difference, len(scores), identical=identical, actor=actor)


def _version(project: Project, number: int | None) -> versions.Version:
    chosen = release_in_force(project, "reproduce").version if number is None else number
    with project.engine.connect() as connection:
        return versions.get(connection, chosen)


def _as_it_was(project: Project, version: versions.Version, manifest: Any) -> Project:
    """The project with the charter and the code that the version was made by."""
    with project.engine.connect() as connection:
        made = next((turn for turn in turns.all_turns(connection) if turn.id == version.turn), None)
    if made is not None and made.pins:
        return pinned_project(project, version.turn, made.pins)
    kept = manifest.files.get(FEATURES)
    code = (
        None
        if project.charter.features is None
        else project.code / project.charter.features.partition(":")[0]
    )
    same_code = (kept is None) == (code is None) and (
        kept is None or code is None or code.read_bytes() == project.blobs.get(kept)
    )
    if manifest.charter != project.document.digest or not same_code:
        what = "was made by another charter or other code, and the turn kept neither"
        raise UserMistake(f"version {version.number}", what, "Put both back as they were, then try again.")
    return project


def _told(
    project: Project, number: int, difference: float, rows: int, *, identical: bool, actor: str
) -> dict[str, Any]:
    same, now = difference <= _ALIKE, project.clock()
    how = "byte for byte the same graph" if identical else f"scores differ by {difference:.1e} at most"
    found = {
        "version": number,
        "time": format_time(now),
        "same": same,
        "identical": identical,
        "difference": difference,
        "rows": rows,
        "sentence": f"{how}, on {rows:,} test rows",
    }
    with project.engine.begin() as connection:
        audit.record(connection, now, actor, "reproduce", f"version {number}", {"same": same, "how": how})
    keep_reproduction(project, found)
    return found
