"""Where a project stands."""

from typing import Any

from vitok.journal.segments import spools
from vitok.kernel.clock import format_time
from vitok.loop.alerts import alert_records
from vitok.loop.outcomes import JOURNAL
from vitok.loop.project import Project
from vitok.loop.release import release_json
from vitok.registry import releases, rollouts, turns, versions
from vitok.registry import windows as remembered
from vitok.registry.rollouts import Rollout


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
