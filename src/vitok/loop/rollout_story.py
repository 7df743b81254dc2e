"""A roll-out told: its steps with their evidence, made anew of what the journal held then."""

from dataclasses import replace
from typing import Any

from vitok.kernel.clock import format_time
from vitok.loop.journals import JournalReader
from vitok.loop.observe import observe
from vitok.loop.project import Project
from vitok.loop.rollout import plans_of
from vitok.registry import rollouts
from vitok.registry.rollouts import Rollout
from vitok.release.rollout import OPEN, Evidence


def reproduce(project: Project, journal: JournalReader, rollout: Rollout, number: int) -> Evidence | None:
    """The evidence of a transition, made anew of what the journal held then; None for one without evidence.

    Args:
        number: Of the transition.
    """
    with project.engine.connect() as connection:
        steps = rollouts.all_transitions(connection, rollout.number)
        plans = plans_of(connection, rollout.number)
    step = steps[number - 1]
    if step.evidence is None:
        return None
    past = [other for other in steps[: number - 1] if other.epoch is not None]
    epochs = {other.epoch for other in past}
    then = replace(rollout, stage=past[-1].stage, state=past[-1].state, since=past[-1].time)
    found = observe(
        project, journal, then, [plan for plan in plans if plan.epoch in epochs], step.time, step.seen
    )
    return found.evidence


def rollout_json(project: Project, journal: JournalReader | None, rollout: Rollout) -> dict[str, Any]:
    """The object that `vitok releases show --json` prints.

    Args:
        journal: To make the evidence of each step anew, and compare, and to tell what is known now; None to leave
            that out.
    """
    with project.engine.connect() as connection:
        steps = rollouts.all_transitions(connection, rollout.number)
        plans = [] if journal is None else plans_of(connection, rollout.number)
    now = None
    if journal is not None and rollout.position.is_open:
        now = observe(project, journal, rollout, plans, project.clock()).evidence
    told = []
    for step in steps:
        again = None if journal is None else reproduce(project, journal, rollout, step.number)
        told.append(
            {
                "number": step.number,
                "time": format_time(step.time),
                "from": step.before,
                "to": step.state,
                "share": _share(rollout, step.state, step.stage),
                "epoch": step.epoch,
                "actor": step.actor,
                "reason": step.reason,
                "findings": _findings(step.evidence),
                "reproduced": None if step.evidence is None or journal is None else again == step.evidence,
            }
        )
    return {**rollout_head(rollout), "steps": told, "now": _findings(now)}


def rollout_head(rollout: Rollout) -> dict[str, Any]:
    """A roll-out as lists show it: without its steps, and without what is known now."""
    return {
        "rollout": rollout.number,
        "version": rollout.version,
        "champion": rollout.champion,
        "strategy": rollout.way.strategy,
        "state": rollout.state,
        "share": _share(rollout, rollout.state, rollout.stage),
        "started": format_time(rollout.started),
        "ended": None if rollout.ended is None else format_time(rollout.ended),
        "actor": rollout.actor,
    }


def _share(rollout: Rollout, state: str, stage: int) -> float:
    if state == "promoted":
        return 1.0
    return rollout.way.stages[stage].share if state in OPEN else 0.0


def _findings(evidence: Evidence | None) -> list[dict[str, Any]]:
    if evidence is None:
        return []
    found = [*evidence.findings, *(each for each in (evidence.split, evidence.primary) if each is not None)]
    return [
        {
            "guard": each.guard,
            "state": "broken" if each.broken else "kept" if each.kept else "open",
            "limit": each.limit,
            "champion": each.champion,
            "challenger": each.challenger,
            "low": finite(each.low),
            "high": finite(each.high),
            "evidence": finite(each.log_e),
            "boundary": each.boundary,
            "units": each.units,
            "sentence": each.sentence,
        }
        for each in found
    ]


def finite(value: float) -> float | None:
    """The value as JSON has it: None where it is beyond all numbers."""
    return value if abs(value) < float("inf") else None
