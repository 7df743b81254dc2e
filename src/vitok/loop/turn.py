"""One turn of the coil: snapshot, baselines, candidates, package, verdict, registration."""

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from vitok.charter.changes import charter_changes
from vitok.errors import UserMistake, VitokError
from vitok.govern import audit
from vitok.kernel.ids import new_id
from vitok.loop.durable import AtOnce, Steps, run_durably
from vitok.loop.fitted import Fitted
from vitok.loop.pins import fingerprint, pin, pinned_project, turn_folder
from vitok.loop.project import Project
from vitok.loop.remembered import Remembered
from vitok.loop.review import require_supported
from vitok.loop.revisions import revisions
from vitok.loop.stages import Cancelled, Stages, logged
from vitok.loop.turn_stages import (
    baselines_stage,
    candidates_stage,
    data_stage,
    package_stage,
    register_stage,
    tracking_stage,
    verdict_stage,
)
from vitok.loop.verdict import Verdict
from vitok.registry import charters, turns, versions
from vitok.registry import steps as shown
from vitok.store.locks import GLANCE_SECONDS, hold

LOCK = "turn.lock"
_CUT_OFF = "the process ended before the turn did; nothing was registered"


@dataclass(frozen=True)
class TurnResult:
    """What a finished turn says.

    Args:
        turn, number: Its id, and its number.
        actor: Who started it.
        accepted: The verdict.
        version: The number under which the bundle is registered.
        seconds: Time of each stage.
        warnings: What makes the verdict weak, and what was left out.
        charter: Number of the charter that it was judged by.
        revised: How its criteria changed since a result was seen.
    """

    turn: str
    number: int
    actor: str
    accepted: bool
    version: versions.Version
    verdict: Verdict
    candidates: list[Fitted]
    seconds: dict[str, float]
    warnings: list[str]
    charter: int
    revised: list[str]

    def as_json(self) -> dict[str, Any]:
        """The object that `vitok run --json` prints."""
        champion = self.verdict.champion
        return {
            "turn": self.turn,
            "number": self.number,
            "verdict": self.verdict.state,
            "version": self.version.number,
            "digest": self.version.digest,
            "gates": [gate.as_json() for gate in self.verdict.gates],
            "metrics": self.version.metrics,
            "baselines": {name: values_of(found) for name, found in self.verdict.baselines.items()},
            "candidates": [
                {
                    "name": fitted.name,
                    "validation": {fitted.metric: fitted.validation},
                    "parameters": fitted.parameters,
                    "trials": fitted.trials,
                    "seconds": round(fitted.seconds, 2),
                    "chosen": fitted.name == self.version.summary["algorithm"],
                }
                for fitted in self.candidates
            ],
            "champion": None if champion is None else {**champion, "metrics": values_of(champion["metrics"])},
            "data": self.version.summary["data"],
            "seconds": {stage: round(value, 2) for stage, value in self.seconds.items()},
            "warnings": self.warnings,
            "charter": self.charter,
            "revised": self.revised,
        }


def values_of(found: dict[str, Any]) -> dict[str, float]:
    """The bare values of estimates."""
    return {name: estimate.value for name, estimate in found.items()}


def run_turn(
    project: Project,
    *,
    as_of: datetime | None = None,
    quick: bool = False,
    trigger: str = "by hand",
    actor: str = "user",
    wait: bool = False,
) -> TurnResult:
    """Runs one whole turn; its finished stages are kept, so that it can go on if it is cut off.

    Args:
        as_of: What was known by then may be used; None for now.
        quick: No search: the champion's algorithm with its parameters, else every candidate with its defaults.
        trigger: Why the turn starts.
        actor: Who or what started it.
        wait: Whether to wait while another turn of the project is running.

    Raises:
        Busy: another turn is running in this project, and this one does not wait.
        UserMistake: data or charter do not allow it; nothing was registered.
        Refused: no candidate can be packaged.
    """
    moment = as_of or project.clock()
    require_supported(project.document, project.say)
    with hold(project.state / LOCK, "vitok run", math.inf if wait else GLANCE_SECONDS):
        turn = _begin(project, moment, quick=quick, trigger=trigger, actor=actor)
        return go_on(project, turn)


def _begin(project: Project, as_of: datetime, *, quick: bool, trigger: str, actor: str) -> turns.Turn:
    """Writes the turn's line, with all that it works by."""
    now = project.clock()
    turn = new_id(now)
    pins = {} if project.workflows is None else {**pin(project), "sources": fingerprint(project)}
    with project.engine.begin() as connection:
        for cut in turns.mark_interrupted(connection, now, _CUT_OFF):
            goes_on = f"`vitok turns resume {cut.number}` goes on with it"
            project.say(f"Turn {cut.number} was cut off in stage {cut.stage}; {goes_on}.")
        _keep_charter(project, connection, now, actor)
        line = turns.begin(
            connection,
            turn,
            now=now,
            as_of=as_of,
            trigger=trigger,
            charter=project.document.digest,
            actor=actor,
            quick=quick,
            pins=pins,
        )
        details = {"trigger": trigger, "charter": project.document.digest, "quick": quick}
        audit.record(connection, now, actor, "start turn", f"turn {line}", details)
        return turns.get(connection, turn)


def _keep_charter(project: Project, connection: Connection, now: datetime, actor: str) -> None:
    """Writes the charter down; that it is another one than before is an act that stands in the audit log."""
    before = charters.latest(connection)
    content, digest = project.charter.as_json(), project.document.digest
    number = charters.keep(connection, now, actor, digest, content)
    if before is None or before.number != number:
        changes = [] if before is None else [each.key for each in charter_changes(before.content, content)]
        details = {"digest": digest, "before": None if before is None else before.digest, "changed": changes}
        audit.record(connection, now, actor, "revise charter", f"charter {number}", details)


def go_on(project: Project, turn: turns.Turn) -> TurnResult:
    """Takes a turn from the stage that it is in to its end; call it while holding the turn lock.

    Raises:
        As `run_turn`; and Cancelled, if somebody asks the turn to end.
    """
    if project.workflows is None:
        stages = Stages(project, turn, AtOnce() if project.fits is None else Remembered(project.fits))
        with _recorded(stages):
            return _turn(stages)
    project = logged(project, turn.id)
    stages = Stages(project, turn, AtOnce())
    with _recorded(stages):
        stages.project = pinned_project(project, turn.id, turn.pins)

        def body(steps: Steps) -> TurnResult:
            stages.steps = steps
            return _turn(stages)

        def stop() -> None:
            project.say("Stopping after the step under way.")
            stages.stopping = True

        # Where a transaction was cut off in a step: the workflow goes on, and takes what finished steps have given.
        result = stages.patiently(lambda: run_durably(project.workflows or "", turn.id, body, stop))
    shutil.rmtree(turn_folder(project, turn.id), ignore_errors=True)
    return result


def _turn(stages: Stages) -> TurnResult:
    """The table of contents of a turn."""
    prepared = data_stage(stages)
    baselines = baselines_stage(stages, prepared)
    candidates = candidates_stage(stages, prepared)
    assembled = package_stage(stages, prepared, candidates)
    verdict = verdict_stage(stages, prepared, assembled, baselines)
    tracking_stage(stages, candidates, verdict)
    version = register_stage(stages, prepared, assembled, verdict)
    project = stages.project
    with project.engine.connect() as connection:
        revised = revisions(connection, version)
        line = turns.get(connection, stages.turn.id)
    skipped = [f"{name}: {why}" for name, why in assembled.skipped.items()]
    return TurnResult(
        line.id,
        line.number,
        line.actor,
        verdict.is_accepted,
        version,
        verdict,
        candidates,
        {**line.seconds, **stages.seconds},
        [*prepared.parts.warnings, *verdict.notes, *skipped],
        version.summary["charter_version"],
        revised,
    )


@contextmanager
def _recorded(stages: Stages) -> Iterator[None]:
    """Keeps the turn's line true whatever happens inside."""
    project, turn = stages.project, stages.turn.id
    try:
        yield
    except BaseException as error:
        state = _end_of(error)
        message = f"in stage {stages.now}: {error if isinstance(error, VitokError) else repr(error)}"
        # On a full disk this fails too; the first error is the one to tell, and the next turn mends the line.
        with suppress(SQLAlchemyError), project.engine.begin() as connection:
            now, line = project.clock(), stages.turn
            turns.advance(connection, turn, state=state, ended=now, message=message)
            details = {"stage": stages.now, "error": type(error).__name__}
            audit.record(connection, now, line.actor, f"turn {state}", f"turn {line.number}", details)
            shown.change(connection, turn, stages.now, message=message)
        if isinstance(error, KeyboardInterrupt):
            goes_on = project.workflows is not None
            raise UserMistake(
                "vitok run",
                f"interrupted in stage {stages.now!r}; nothing was registered",
                f"`vitok turns resume {stages.turn.number}` goes on with it."
                if goes_on
                else "Run it again when you like.",
            ) from error
        raise


def _end_of(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return "cancelled" if isinstance(error, Cancelled) else "failed"
