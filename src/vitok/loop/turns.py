"""What people see of turns and do to them: the list, the time line of one, going on with it, ending it."""

from collections.abc import Sequence
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import Connection

from vitok.errors import Fault, UserMistake
from vitok.govern import audit
from vitok.kernel.clock import format_time
from vitok.loop.project import Project
from vitok.loop.stages import log_path
from vitok.loop.turn import LOCK, TurnResult, go_on
from vitok.registry import steps, turns
from vitok.store.locks import GLANCE_SECONDS, hold, is_held
from vitok.store.writing import begin_writing

_LIKE = 5  # turns before it that say how long one takes
_MOST_TRIES = 3  # of a step by itself; a table too large for the memory dies in it each time


def list_turns(project: Project) -> dict[str, Any]:
    """The object that `vitok turns --json` prints: all turns, newest first."""
    with project.engine.connect() as connection:
        known = turns.all_turns(connection)
    return {"turns": [_as_json(project, turn) for turn in reversed(known)]}


def show_turn(project: Project, name: str) -> dict[str, Any]:
    """The object that `vitok turns show NAME --json` prints: the time line of a turn, and all that it has said.

    Args:
        name: Its number or its id.

    Raises:
        NotFound: there is no such turn.
    """
    with project.engine.connect() as connection:
        turn = turns.get(connection, name)
        found, known = steps.of_turn(connection, turn.id), turns.all_turns(connection)
    path, told = log_path(project, turn.id), _as_json(project, turn)
    return {
        **told,
        "progress": _progress(project, turn, known) if told["state"] == "running" else None,
        "as_of": format_time(turn.as_of),
        "charter": turn.charter,
        "pins": turn.pins,
        "steps": [_step_json(step) for step in found],
        "log": path.read_text(encoding="utf-8").splitlines() if path.is_file() else [],
    }


def resume_turn(project: Project, name: str, *, actor: str = "user") -> TurnResult:
    """Goes on with a turn that did not come to its end: stages that are done are not done again.

    The charter, the code and, once they are read, the data are those with which it began.

    Raises:
        NotFound: there is no such turn, or what it had kept is gone.
        UserMistake: it has ended, or another version of Vitok began it.
        Busy: another turn is running.
    """
    with hold(project.state / LOCK, "vitok turns resume", GLANCE_SECONDS):
        with project.engine.begin() as connection:
            begin_writing(connection)
            turn = turns.get(connection, name)
            if not turn.can_go_on or not turn.pins:
                what = f"is {turn.state}: {turn.message}" if not turn.can_go_on else "was not kept"
                raise UserMistake(f"turn {turn.number}", what, "Start a new one with `vitok run`.")
            turns.advance(connection, turn.id, state="running", ended=None, cancel=None, message="")
            details = {"stage": turn.stage, "was": turn.state}
            audit.record(connection, project.clock(), actor, "resume", f"turn {turn.number}", details)
        project.say(f"Going on with turn {turn.number}, which was {turn.state} in stage {turn.stage}")
        return go_on(project, turn)


def resume_cut_off(project: Project, *, actor: str) -> TurnResult | None:
    """Goes on with the oldest turn whose process died, if there is one and no other turn is running.

    A turn that has ended its process several times in the same step is left to people.
    """
    if not is_cut_off(project):
        return None
    with project.engine.connect() as connection:
        cut = _cut_off(connection)
        tries = 0 if cut is None else _tries(connection, cut)
    if cut is None:
        return None
    if tries < _MOST_TRIES:
        return resume_turn(project, cut.id, actor=actor)
    now, message = project.clock(), f"its process died {tries} times in stage {cut.stage}"
    with project.engine.begin() as connection:
        begin_writing(connection)
        turns.advance(connection, cut.id, state="failed", ended=now, message=message)
        details = {"stage": cut.stage, "tries": tries}
        audit.record(connection, now, actor, "turn failed", f"turn {cut.number}", details)
    raise Fault(
        f"turn {cut.number}", message, "See whether memory suffices; `vitok turns resume` tries once more."
    )


def is_cut_off(project: Project) -> bool:
    """Whether there is a turn whose process died."""
    if is_held(project.state / LOCK):
        return False
    with project.engine.connect() as connection:
        return _cut_off(connection) is not None


def _cut_off(connection: Connection) -> turns.Turn | None:
    return next((turn for turn in turns.in_state(connection, "running") if turn.pins), None)


def _tries(connection: Connection, turn: turns.Turn) -> int:
    """How often the step that a turn is in was begun."""
    return max(
        (step.attempts for step in steps.of_turn(connection, turn.id) if step.name == turn.stage), default=0
    )


def cancel_turn(project: Project, name: str, *, actor: str = "user") -> dict[str, Any]:
    """Ends a turn before its next step or trial; it can be gone on with later.

    Returns:
        The turn, as `list_turns` gives it; `cancelling` while its process still works.

    Raises:
        NotFound: there is no such turn.
        UserMistake: it has ended.
    """
    now = project.clock()
    with project.engine.begin() as connection:
        begin_writing(connection)
        turn = turns.get(connection, name)
        if turn.state != "running":
            raise UserMistake(
                f"turn {turn.number}", f"is {turn.state} already", "There is nothing to cancel."
            )
        turns.advance(connection, turn.id, cancel=actor)
        if not is_held(project.state / LOCK):
            message = f"cancelled by {actor} while no process worked at it"
            turns.advance(connection, turn.id, state="cancelled", ended=now, message=message)
        audit.record(connection, now, actor, "cancel", f"turn {turn.number}", {"stage": turn.stage})
        return _as_json(project, turns.get(connection, turn.id))


def _progress(
    project: Project, turn: turns.Turn, known: Sequence[turns.Turn]
) -> dict[str, float | None] | None:
    """How far a turn is, as the last ones that came to their end let expect; None if none has."""
    took = [(each.ended - each.started).total_seconds() for each in known if each.ended and each.version][
        -_LIKE:
    ]
    expected = median(took) if took else 0.0
    if not expected:
        return None
    gone = (project.clock() - turn.started).total_seconds()
    # One that takes longer than those before is not done; how much longer nobody knows.
    return {
        "share": min(0.99, gone / expected),
        "seconds_left": expected - gone if gone < expected else None,
    }


def _as_json(project: Project, turn: turns.Turn) -> dict[str, Any]:
    state = turn.state
    if state == "running":
        state = "cancelling" if turn.cancel else state if is_held(project.state / LOCK) else "cut off"
    return {
        "number": turn.number,
        "turn": turn.id,
        "started": format_time(turn.started),
        "ended": _time(turn.ended),
        "trigger": turn.trigger,
        "actor": turn.actor,
        "stage": turn.stage,
        "state": state,
        "version": turn.version,
        "seconds": turn.seconds,
        "message": turn.message,
    }


def _step_json(step: steps.Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "started": format_time(step.started),
        "ended": _time(step.ended),
        "attempts": step.attempts,
        "outputs": step.outputs,
        "message": step.message,
    }


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else format_time(instant)
