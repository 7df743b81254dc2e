"""The risk class of a change, from what really differs between two bundles and the charters behind them."""

from typing import Any

import msgspec

from vitok.charter.changes import charter_changes, criteria_changes
from vitok.loop.project import Project
from vitok.model.bundle import load_manifest
from vitok.registry import charters, releases, versions
from vitok.release.risk import Risk, risk_class

# Besides the criteria: what says how a version reaches users, and who is asked.
_ALSO = ("approve", "release")


def risk_of(
    project: Project, version: versions.Version, released: releases.Release | None
) -> tuple[Risk, list[str]]:
    """The class of putting a version in the place of the release in force, and each difference in words."""
    new = _comparable(project, version.digest)
    if released is None:
        return risk_class(None, new)
    old = _comparable(project, released.plan.champion.digest)
    return risk_class(old, new, _revised(project, old["charter"], new["charter"]))


def _comparable(project: Project, digest: str) -> dict[str, Any]:
    manifest: dict[str, Any] = msgspec.to_builtins(load_manifest(project.blobs, digest))
    # Early stopping chooses the number of trees anew with each data set: that is no change of parameters.
    manifest["parameters"].pop("n_estimators", None)
    return manifest


def _revised(project: Project, old: str, new: str) -> list[str]:
    """What changed in the charter about what is accepted; a charter that is not on record counts as changed."""
    if old == new:
        return []
    with project.engine.connect() as connection:
        known = {charter.digest: charter.content for charter in charters.all_charters(connection)}
    if old not in known or new not in known:
        return ["one of the charters is not on record"]
    found = {change.sentence: None for change in criteria_changes(known[old], known[new])}
    others = [
        change for change in charter_changes(known[old], known[new]) if change.key.split(".")[0] in _ALSO
    ]
    return [*found, *(change.sentence for change in others if change.sentence not in found)]
