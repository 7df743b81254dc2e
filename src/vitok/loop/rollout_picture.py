"""A roll-out through time, for its page: shares, evidence and events."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from vitok.loop.journals import JournalReader
from vitok.loop.observe import observe
from vitok.loop.project import Project
from vitok.loop.rollout import plans_of
from vitok.registry import rollouts
from vitok.registry.rollouts import Rollout, Transition
from vitok.release.rollout import OPEN, Evidence
from vitok.report.release_chart import release_chart

_POINTS = 40


def rollout_picture(project: Project, journal: JournalReader, rollout: Rollout) -> dict[str, Any]:
    """The page of a roll-out as a chart's specification; the evidence is made anew for each of some moments."""
    with project.engine.connect() as connection:
        steps = rollouts.all_transitions(connection, rollout.number)
    new, old = f"version {rollout.version}", f"version {rollout.champion}"
    shares = []
    for step in steps:
        share = _share(rollout, step)
        shares += [(step.time, 1 - share, old), (step.time, share, new)]
    evidence = [
        (moment, finding.guard, finding.log_e, finding.boundary)
        for moment, found in evidence_path(project, journal, rollout)
        for finding in found.findings
    ]
    events = [(step.time, step.state, step.reason) for step in steps]
    title = f"Roll-out {rollout.number}: {new} against {old}, {rollout.way.strategy}"
    return release_chart(title, shares=shares, evidence=evidence, events=events, below=_sentence(rollout))


def _sentence(rollout: Rollout) -> str:
    if rollout.position.is_open:
        return f"It goes on: {rollout.state}."
    return f"It is over: {rollout.state}."


def _share(rollout: Rollout, step: Transition) -> float:
    if step.state == "promoted":
        return 1.0
    return rollout.way.stages[step.stage].share if step.state in OPEN else 0.0


def evidence_path(
    project: Project, journal: JournalReader, rollout: Rollout
) -> Iterator[tuple[datetime, Evidence]]:
    """What was known at moments spread over a roll-out, and at its end, or now; made anew of the journal."""
    with project.engine.connect() as connection:
        steps = rollouts.all_transitions(connection, rollout.number)
        plans = plans_of(connection, rollout.number)
    end = rollout.ended or project.clock()
    for number in range(1, _POINTS + 1):
        moment = rollout.started + (end - rollout.started) * (number / _POINTS)
        past = [step for step in steps if step.time <= moment and step.state in OPEN]
        epochs = {step.epoch for step in past}
        then = replace(rollout, stage=past[-1].stage, state=past[-1].state, since=past[-1].time)
        known = [plan for plan in plans if plan.epoch in epochs]
        yield moment, observe(project, journal, then, known, moment, is_past=True).evidence
