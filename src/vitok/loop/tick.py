"""One look at production: watch, decide whether a turn is due, run it, release what was accepted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vitok.charter.expressions import Comparison, Trigger
from vitok.errors import Busy, Refused, VitokError
from vitok.loop.journals import JournalReader
from vitok.loop.profiling import Profiler
from vitok.loop.project import Project
from vitok.loop.rollout import advance, release_version
from vitok.loop.rules import judge_rules
from vitok.loop.turn import run_turn
from vitok.loop.watch import Watched, watch
from vitok.model.bundle import load_manifest
from vitok.monitor.triggers import Decision, Facts, decide_turn
from vitok.registry import releases, rollouts, turns, versions
from vitok.registry import windows as remembered
from vitok.registry.rollouts import Rollout
from vitok.stats.estimates import Estimate

ACTOR = "vitok"


@dataclass(frozen=True)
class Tick:
    """What one look led to.

    Args:
        watched: Windows and alerts.
        decision: Whether a turn was due, and why or why not.
        event: `promoted`, `releasing` (a roll-out began), `refused`, or `failed` if a turn ran, else None.
        version: The version that the turn registered.
        message: How the turn ended.
        rollout: The roll-out that this look moved on, None if it moved none.
    """

    watched: Watched
    decision: Decision
    event: str | None = None
    version: int | None = None
    message: str = ""
    rollout: Rollout | None = None


def tick(
    project: Project, journal: JournalReader, triggers: Sequence[Trigger], profiler: Profiler | None = None
) -> Tick:
    """Watches, moves a roll-out on, and starts a turn if a trigger holds; an accepted version is released.

    Args:
        triggers: The charter's, or those of a policy that is replayed.
        profiler: Of this journal; None opens the project's own.
    """
    watched = watch(project, journal, profiler)
    moved = advance(project, journal)
    decision = _decide(project, journal, watched, triggers)
    if decision.reason:
        project.say(f"{'Turn starts' if decision.start else 'No turn'}: {decision.reason}")
    if not decision.start:
        return Tick(watched, decision, rollout=moved)
    try:
        result = run_turn(project, as_of=project.clock(), quick=True, trigger=decision.reason, actor=ACTOR)
    except VitokError as error:
        return Tick(watched, decision, "failed", None, str(error), moved)
    number = result.version.number
    if not result.accepted:
        failed = [gate.reason for gate in result.verdict.gates if not gate.passed]
        return Tick(watched, decision, "refused", number, "; ".join(failed), moved)
    try:
        released = release_version(project, journal, number, actor=ACTOR)
    except (Refused, Busy) as error:
        return Tick(watched, decision, "refused", number, str(error), moved)
    if released.rollout is None:
        return Tick(watched, decision, "promoted", number, f"version {number} answers from now on", moved)
    how = f"version {number} is rolled out: {released.rollout.way.strategy}"
    return Tick(watched, decision, "releasing", number, how, moved)


def _rules(
    project: Project,
    journal: JournalReader,
    triggers: Sequence[Trigger],
    digest: str,
    accepted: Mapping[str, Any],
    final: list[dict[str, Any]],
) -> frozenset[Comparison]:
    """Triggers over slices or periods that hold at the end of the last final window."""
    asked = [
        t for t in triggers if isinstance(t, Comparison) and (t.part is not None or t.period is not None)
    ]
    if not asked or not final:
        return frozenset()
    span = (final[0]["start"], final[0]["end"])
    manifest = load_manifest(project.blobs, digest)
    figures = {name: found["value"] for name, found in accepted.items()}
    found = judge_rules(project, journal, asked, span, manifest, digest, figures)
    return frozenset(rule for rule, finding in found.items() if finding.alarm)


def _decide(
    project: Project, journal: JournalReader, watched: Watched, triggers: Sequence[Trigger]
) -> Decision:
    retrain, now = project.charter.retrain, project.clock()
    with project.engine.connect() as connection:
        release = releases.current(connection)
        if release is None or not triggers:
            return Decision(False, "")
        if rollouts.current(connection) is not None:
            return Decision(False, "")  # two changes at once could not be told apart
        past = turns.all_turns(connection)
        accepted = versions.get(connection, release.version).metrics
        final = remembered.last_windows(connection, 1, state="final")
    last: datetime = past[-1].started if past else release.created
    facts = Facts(
        now=now,
        turns=[turn.started for turn in past] or [release.created],
        alarms=frozenset(alert.kind for alert in watched.open.values() if alert.severity == "alarm"),
        quality={name: Estimate(**found) for name, found in final[0]["quality"].items()} if final else {},
        accepted={name: found["value"] for name, found in accepted.items()},
        new_labels=journal.labels_since(last, now),
        rules=_rules(project, journal, triggers, release.plan.champion.digest, accepted, final),
    )
    return decide_turn(triggers, facts, cooldown=retrain.cooldown, budget=retrain.budget)
