"""What a version's card says."""

from typing import Any

import msgspec

from vitok.kernel.clock import format_time
from vitok.loop.project import Project
from vitok.loop.revisions import charter_number, revised, revisions
from vitok.model.bundle import load_manifest
from vitok.registry import charters, releases, versions


def version_card(project: Project, number: int) -> dict[str, Any]:
    """The card of a version as JSON values.

    Raises:
        NotFound: there is no such version.
    """
    with project.engine.connect() as connection:
        version = versions.get(connection, number)
        charter_version = charter_number(version, charters.all_charters(connection))
        revised_criteria = revisions(connection, version)
    manifest = load_manifest(project.blobs, version.digest)
    return {
        "project": manifest.project,
        "version": version.number,
        "verdict": version.verdict,
        "goal": project.charter.goal.statement,
        "task": manifest.task,
        "target": manifest.target,
        "classes": manifest.classes,
        "threshold": manifest.threshold,
        "algorithm": manifest.algorithm,
        "parameters": manifest.parameters,
        "digest": version.digest,
        "charter": manifest.charter,
        "charter_version": charter_version,
        "revised": revised_criteria,
        "created": format_time(version.created),
        "data": manifest.data,
        "test_rows": version.summary["test_rows"],
        "left_out": version.summary["left_out"],
        "not_features": version.summary["not_features"],
        "gates": version.gates,
        "metrics": version.metrics,
        "parity": manifest.parity,
        "inputs": msgspec.to_builtins(manifest.inputs),
        "environment": manifest.environment,
        "code": manifest.code,
        "seed": manifest.seed,
    }


def list_versions(project: Project) -> list[dict[str, Any]]:
    """All versions with their state, oldest first: `champion`, `released before`, or `registered`."""
    with project.engine.connect() as connection:
        known, history = versions.all_versions(connection), releases.all_releases(connection)
        charters_known = charters.all_charters(connection)
    champion = history[-1].version if history else None
    before = {release.version for release in history}
    return [
        {
            "version": version.number,
            "digest": version.digest,
            "verdict": version.verdict,
            "state": "champion"
            if version.number == champion
            else "released before"
            if version.number in before
            else "registered",
            "algorithm": version.summary["algorithm"],
            "metrics": {name: found["value"] for name, found in version.metrics.items()},
            "created": format_time(version.created),
            "turn": version.turn,
            "charter": charter_number(version, charters_known),
            "revised": len(revised(charters_known, known, version)),
        }
        for version in known
    ]
