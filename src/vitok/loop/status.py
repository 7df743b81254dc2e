"""Where a project stands, and whether its parts are sound."""

import importlib.metadata
import platform
import shutil
from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from vitok.errors import VitokError
from vitok.govern import audit
from vitok.journal.ledger import Ledger
from vitok.journal.segments import spools, verify
from vitok.kernel.clock import format_time
from vitok.loop.alerts import alert_records
from vitok.loop.outcomes import JOURNAL
from vitok.loop.project import Project
from vitok.loop.release import PLAN_FILE, release_json
from vitok.loop.rollback import PENDING_FILE
from vitok.model.bundle import load_manifest
from vitok.registry import releases, rollouts, turns, versions
from vitok.registry import windows as remembered
from vitok.registry.rollouts import Rollout
from vitok.release.plan import Plan

_LITTLE_DISK = 500_000_000


def project_status(project: Project) -> dict[str, Any]:
    """The object that `vitok status --json` prints, and the first page shows."""
    charter = project.charter
    with project.engine.connect() as connection:
        history, turn = releases.all_releases(connection), turns.last(connection)
        release = history[-1] if history else None
        rollout = rollouts.current(connection)
        known = versions.all_versions(connection)
        windows = remembered.last_windows(connection, 1)
        final = remembered.last_windows(connection, 1, state="final")
        alerts = alert_records(connection)
        champion = None if release is None else versions.get(connection, release.version)
    return {
        "project": charter.project,
        "goal": charter.goal.statement,
        "task": f"{charter.task.type} on {charter.task.target}",
        "champion": None
        if release is None or champion is None
        else {
            **release_json(release),
            "created": format_time(releases.answers_since(history)),
            "algorithm": champion.summary["algorithm"],
            "metrics": {name: found["value"] for name, found in champion.metrics.items()},
        },
        "rollout": None if rollout is None else _under_way(rollout),
        "versions": len(known),
        "last_turn": None
        if turn is None
        else {
            "turn": turn.id,
            "state": turn.state,
            "stage": turn.stage,
            "started": format_time(turn.started),
            "trigger": turn.trigger,
            "version": turn.version,
            "message": turn.message,
        },
        "last_window": _window(windows),
        "last_final_window": _window(final),
        "alerts": [record.as_json(project.clock()) for record in alerts],
        "predictions_waiting": len(spools(project.state / JOURNAL)),
    }


def _under_way(rollout: Rollout) -> dict[str, Any]:
    return {
        "rollout": rollout.number,
        "version": rollout.version,
        "strategy": rollout.way.strategy,
        "state": rollout.state,
        "share": rollout.way.stages[rollout.stage].share,
        "since": format_time(rollout.since),
    }


def _window(found: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not found:
        return None
    window = found[0]
    return {
        "start": format_time(window["start"]),
        "end": format_time(window["end"]),
        "state": window["state"],
        "rows": window["rows"],
        "labelled": window["labelled"],
        "version": window["version"],
        "quality": {name: estimate["value"] for name, estimate in window["quality"].items()},
        "moved": [finding["column"] for finding in window["drift"] if finding["status"] == "moved"],
    }


def examine(project: Project) -> dict[str, Any]:
    """Tries each part of a project; the object that `vitok doctor --json` prints."""
    checks: dict[str, Callable[[], str]] = {
        "python": lambda: f"{platform.python_version()}, vitok {importlib.metadata.version('vitok')}",
        "charter": lambda: f"{project.document.name}, digest {project.document.digest[:12]}",
        "state database": lambda: _database(project),
        "audit log": lambda: _audit(project),
        "lake": lambda: f"{len(project.lake.versions('snapshots'))} data version(s)",
        "journal": lambda: _journal(project),
        "champion": lambda: _champion(project),
        "release plan": lambda: _plan(project),
        "disk": lambda: _disk(project),
    }
    results = []
    for name, check in checks.items():
        try:
            results.append({"check": name, "ok": True, "detail": check(), "remedy": None})
        except VitokError as error:
            results.append(
                {"check": name, "ok": False, "detail": f"{error.place}: {error.what}", "remedy": error.remedy}
            )
        except Exception as error:  # whatever is broken, the other checks must still be told
            results.append(
                {
                    "check": name,
                    "ok": False,
                    "detail": f"{type(error).__name__}: {error}",
                    "remedy": "Restore it from a backup.",
                }
            )
    return {"ok": all(result["ok"] for result in results), "checks": results}


def _database(project: Project) -> str:
    with project.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    return f"{project.engine.url.render_as_string(hide_password=True)} answers"


def _audit(project: Project) -> str:
    with project.engine.connect() as connection:
        broken = audit.verify(connection)
    if broken is not None:
        raise VitokError("audit log", f"line {broken} was altered or removed", "Compare it with a backup.")
    return "whole"


def _journal(project: Project) -> str:
    span = Ledger(project.lake).span()
    waiting = len(spools(project.state / JOURNAL))
    verify(project.state / JOURNAL)
    return f"{'empty' if span is None else f'up to {format_time(span[1])}'}, {waiting} spool(s)"


def _champion(project: Project) -> str:
    with project.engine.connect() as connection:
        release = releases.current(connection)
    if release is None:
        return "none released yet"
    manifest = load_manifest(project.blobs, release.plan.champion.digest)
    for digest in manifest.files.values():
        project.blobs.get(digest)
    return f"version {release.version}, every byte as it was judged"


def _plan(project: Project) -> str:
    with project.engine.connect() as connection:
        release = releases.current(connection)
    path = project.state / PLAN_FILE
    if release is None:
        return "none yet"
    if (project.state / PENDING_FILE).exists():
        what = "was changed by a rollback while the database was away, which is not recorded yet"
        raise VitokError(str(path), what, "Run `vitok watch --once`.")
    if not path.exists() or Plan.from_json(path.read_bytes()) != release.plan:
        raise VitokError(
            str(path),
            "is not the plan in force",
            f"Run `vitok release {release.version}` to publish it again.",
        )
    return f"epoch {release.epoch}, published"


def _disk(project: Project) -> str:
    free = shutil.disk_usage(project.folder).free
    if free < _LITTLE_DISK:
        raise VitokError(
            "disk", f"only {free / 1e6:.0f} MB are free", "Free some before the journal has to refuse."
        )
    return f"{free / 1e9:.1f} GB free"
