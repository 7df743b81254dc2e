"""One look at production: watch, decide whether a turn is due, run it, release what was accepted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vitok.charter.expressions import Expression, parse_expression
from vitok.errors import Refused, VitokError
from vitok.loop.project import Project
from vitok.loop.release import release_version
from vitok.loop.turn import run_turn
from vitok.loop.watch import JournalReader, Watched, watch
from vitok.monitor.triggers import Decision, Facts, decide_turn
from vitok.registry import releases, turns, versions
from vitok.registry import windows as remembered
from vitok.stats.estimates import Estimate

ACTOR = "vitok"


@dataclass(frozen=True)
class Tick:
    """What one look led to.

    Args:
        watched: Windows and alerts.
        decision: Whether a turn was due, and why or why not.
        event: `promoted`, `refused`, or `failed` if a turn ran, else None.
        version: The version that the turn registered.
        message: How the turn ended.
    """

    watched: Watched
    decision: Decision
    event: str | None = None
    version: int | None = None
    message: str = ""


def charter_triggers(project: Project) -> list[Expression]:
    """The charter's retraining triggers."""
    return [parse_expression(text) for text in project.charter.retrain.on]


def tick(project: Project, journal: JournalReader, triggers: Sequence[Expression]) -> Tick:
    """Watches, and starts a turn if a trigger holds; an accepted version is released at once.

    Args:
        triggers: The charter's, or those of a policy that is replayed.
    """
    watched = watch(project, journal)
    decision = _decide(project, journal, watched, triggers)
    if decision.reason:
        project.say(f"{'Turn starts' if decision.start else 'No turn'}: {decision.reason}")
    if not decision.start:
        return Tick(watched, decision)
    try:
        result = run_turn(project, as_of=project.clock(), quick=True, trigger=decision.reason, actor=ACTOR)
    except VitokError as error:
        return Tick(watched, decision, "failed", None, str(error))
    number = result.version.number
    if not result.accepted:
        failed = [gate.reason for gate in result.verdict.gates if not gate.passed]
        return Tick(watched, decision, "refused", number, "; ".join(failed))
    try:
        release_version(project, number, actor=ACTOR)
    except Refused as error:
        return Tick(watched, decision, "refused", number, str(error))
    return Tick(watched, decision, "promoted", number, f"version {number} answers from now on")


def _decide(
    project: Project, journal: JournalReader, watched: Watched, triggers: Sequence[Expression]
) -> Decision:
    retrain, now = project.charter.retrain, project.clock()
    with project.engine.connect() as connection:
        release = releases.current(connection)
        if release is None or not triggers:
            return Decision(False, "")
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
    )
    return decide_turn(triggers, facts, cooldown=retrain.cooldown, budget=retrain.budget)
