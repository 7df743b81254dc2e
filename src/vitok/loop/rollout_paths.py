"""The evidence of roll-outs through time: made anew of the journal, so kept beside other figures and not by a page."""

from datetime import datetime
from typing import Any

from vitok.journal.ledger import StillLedger
from vitok.kernel.clock import format_time
from vitok.loop.project import Project
from vitok.loop.rollout_picture import evidence_path
from vitok.loop.rollout_story import finite
from vitok.registry import figures, rollouts
from vitok.registry.rollouts import Rollout
from vitok.release.rollout import Evidence

NAME = "rollouts"
_NEW = 20  # that are reckoned at a time: each takes half a second and more


def rollout_paths(project: Project) -> dict[str, Any]:
    """For each roll-out, by its number as text, the points of its evidence; what was over then is not reckoned again.

    Returns:
        `paths`: {number: [{time, guard, evidence, boundary}]}; the newest first to be there. `over`: the numbers of
        those that had ended when their path was reckoned.
    """
    with project.engine.connect() as connection:
        known = rollouts.all_rollouts(connection)
    before = _kept(project)
    paths = {number: before["paths"][number] for number in before.get("over", [])}
    lacking = [each for each in reversed(known) if str(each.number) not in paths]
    for each in lacking[:_NEW]:
        paths[str(each.number)] = _points(project, each)
    return {"paths": paths, "over": [str(each.number) for each in known if _is_over(each, paths)]}


def kept_path(project: Project, number: int) -> list[dict[str, Any]]:
    """The points of a roll-out as they were reckoned last; none before."""
    found: list[dict[str, Any]] = _kept(project).get("paths", {}).get(str(number), [])
    return found


def points_at(moment: datetime, evidence: Evidence) -> list[dict[str, Any]]:
    """What each limit of a roll-out says at a moment."""
    return [
        {
            "time": format_time(moment),
            "guard": finding.guard,
            "evidence": finite(finding.log_e),
            "boundary": finding.boundary,
        }
        for finding in evidence.findings
    ]


def _kept(project: Project) -> dict[str, Any]:
    with project.engine.connect() as connection:
        kept = figures.kept(connection, NAME)
    return {} if kept is None else kept.content.get("figure") or {}


def _is_over(rollout: Rollout, paths: dict[str, Any]) -> bool:
    return str(rollout.number) in paths and not rollout.position.is_open


def _points(project: Project, rollout: Rollout) -> list[dict[str, Any]]:
    path = evidence_path(project, StillLedger(project.lake), rollout)
    return [point for moment, found in path for point in points_at(moment, found)]
