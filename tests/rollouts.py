"""A project with one version in production and another accepted, without any training."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from examples import flight_bundle
from vitok.kernel.clock import Clock
from vitok.loop import rollout
from vitok.loop.release import in_force, release_at_once
from vitok.registry import rollouts, versions
from vitok.release.rollout import Move
from vitok.store.blobs import Blobs
from vitok.wire import open_project

START = datetime(2013, 3, 1, tzinfo=UTC)
CHARTER = """\
project: flights
goal: {statement: Warn early}
task: {type: binary, target: late, id: flight, entity: tail, time: departure, label_delay: 4h}
data: {sources: {flights: flights.csv}}
accept: [roc_auc > baseline]
decide: {costs: {tp: 40, fp: -5, fn: -60, tn: 0}}
release: {strategy: canary, shares: [10%, 50%], step: 1h, max_hours: 48, guard: GUARD, RELEASE}
"""
GUARD = "{errors: 1.5x, latency: 3x}"


def two_versions(
    folder: Path,
    clock: Clock,
    release: str = "alpha: 0.05",
    guard: str = GUARD,
    bundle: Callable[[Blobs, float], str] = flight_bundle,
    more: str = "",
) -> Any:
    """Makes the project.

    Args:
        release: Further keys of the charter's section.
        bundle: Stores the bundle of a version, told apart by its bias, and returns the digest.
        more: Further sections of the charter.
    """
    (folder / "vitok.yaml").write_text(CHARTER.replace("RELEASE", release).replace("GUARD", guard) + more)
    project = open_project(folder, clock=clock)
    blobs = Blobs(folder / ".vitok" / "blobs")
    with project.engine.begin() as connection:
        for bias in (0.0, 0.1):
            facts: dict[str, Any] = {"created": clock(), "turn": f"t{bias}", "verdict": "accepted"}
            digest = bundle(blobs, bias)
            versions.register(connection, digest=digest, gates=[], metrics={}, summary={}, **facts)
    release_at_once(project, 1, actor="ada")
    return project


def ends(project: Any, state: Any) -> None:
    """Ends the roll-out under way as the keeper does by its evidence."""
    with in_force(project) as connection:
        found = rollouts.current(connection)
        assert found is not None
        rollout.make_move(project, connection, found, Move(state, found.stage, "evidence"), "vitok", None, {})
