"""Two versions beside each other: what differs, and by how much."""

from typing import Any

from vitok.kernel.clock import format_time
from vitok.loop.project import Project
from vitok.model.bundle import load_manifest
from vitok.registry import versions
from vitok.registry.versions import Version


def compare_versions(project: Project, first: int, second: int) -> dict[str, Any]:
    """Two versions side by side.

    Returns:
        `first` and `second`: what each is; `metrics`, `gates` and `parameters`: by name what either of them has, None
        where one has it not. Metrics of two versions were mostly measured on different rows: `same_rows` says so.

    Raises:
        NotFound: there is no such version, or its bundle is gone.
    """
    with project.engine.connect() as connection:
        a, b = versions.get(connection, first), versions.get(connection, second)
    left, right = _told(project, a), _told(project, b)
    return {
        "first": left,
        "second": right,
        "same_rows": left["data"].get("digest") == right["data"].get("digest"),
        "metrics": _beside(a.metrics, b.metrics),
        "gates": _beside(_by_name(a), _by_name(b)),
        "parameters": _beside(left.pop("parameters"), right.pop("parameters")),
    }


def _told(project: Project, version: Version) -> dict[str, Any]:
    manifest = load_manifest(project.blobs, version.digest)
    return {
        "version": version.number,
        "verdict": version.verdict,
        "algorithm": manifest.algorithm,
        "created": format_time(version.created),
        "digest": version.digest,
        "threshold": manifest.threshold,
        "test_rows": version.summary.get("test_rows"),
        "data": manifest.data,
        "inputs": [field.name for field in manifest.inputs],
        "parameters": manifest.parameters,
    }


def _by_name(version: Version) -> dict[str, Any]:
    return {gate["name"]: gate for gate in version.gates}


def _beside(first: dict[str, Any], second: dict[str, Any]) -> list[dict[str, Any]]:
    """What either has, in the order of the second, with those behind it that only the first has."""
    names = [*second, *(name for name in first if name not in second)]
    return [{"name": name, "first": first.get(name), "second": second.get(name)} for name in names]
