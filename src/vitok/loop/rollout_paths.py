"""The evidence of roll-outs through time: made anew of the journal, so kept beside other figures and not by a page."""

from typing import Any

from vitok.journal.ledger import StillLedger
from vitok.kernel.clock import format_time
from vitok.loop.project import Project
from vitok.loop.rollout_picture import evidence_path
from vitok.registry import figures, rollouts
from vitok.registry.rollouts import Rollout

NAME = "rollouts"
_NEW = 3  # that have ended and are reckoned at a time: each takes a second


def rollout_paths(project: Project) -> dict[str, Any]:
    """For each roll-out, by its number as text, the points of its evidence; what has ended is not reckoned again.

    Returns:
        `paths`: {number: [{time, guard, evidence, boundary}]}; the newest first to be there.
    """
    with project.engine.connect() as connection:
        known = rollouts.all_rollouts(connection)
        kept = figures.kept(connection, NAME)
    before = {} if kept is None else (kept.content.get("figure") or {}).get("paths", {})
    ended = {str(each.number) for each in known if not each.position.is_open}
    paths = {number: points for number, points in before.items() if number in ended}
    lacking = [each for each in reversed(known) if str(each.number) not in paths]
    for each in lacking[:_NEW]:
        paths[str(each.number)] = _points(project, each)
    return {"paths": paths}


def kept_path(project: Project, number: int) -> list[dict[str, Any]]:
    """The points of a roll-out as they were reckoned last; none before."""
    with project.engine.connect() as connection:
        kept = figures.kept(connection, NAME)
    found: list[dict[str, Any]] = []
    if kept is not None:
        found = (kept.content.get("figure") or {}).get("paths", {}).get(str(number), [])
    return found


def _points(project: Project, rollout: Rollout) -> list[dict[str, Any]]:
    return [
        {
            "time": format_time(moment),
            "guard": finding.guard,
            "evidence": finding.log_e if abs(finding.log_e) < float("inf") else None,
            "boundary": finding.boundary,
        }
        for moment, found in evidence_path(project, StillLedger(project.lake), rollout)
        for finding in found.findings
    ]
