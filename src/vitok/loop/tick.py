"""One look at production: watch, decide whether a turn is due, run it, release what was accepted and agreed to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vitok.charter.expressions import Trigger
from vitok.errors import Busy, Refused, UserMistake, VitokError
from vitok.loop.approving import settle_requests
from vitok.loop.beside import Beside
from vitok.loop.deciding import came_of, decide, note_decision
from vitok.loop.incidents import look_after_incidents
from vitok.loop.journals import JournalReader
from vitok.loop.profiling import Profiler
from vitok.loop.project import Project
from vitok.loop.reweighing import Reweigher
from vitok.loop.rollout import Released, advance, release_version
from vitok.loop.turn import TurnResult, run_turn
from vitok.loop.turns import is_cut_off, resume_cut_off
from vitok.loop.users import require_act
from vitok.loop.watch import Watched, watch
from vitok.monitor.triggers import Decision
from vitok.registry import decisions, releases, turns, wanted
from vitok.registry.rollouts import Rollout

ACTOR = "vitok"


@dataclass(frozen=True)
class Tick:
    """What one look led to.

    Args:
        watched: Windows and alerts.
        decision: Whether a turn was due, and why or why not.
        event: `promoted`, `releasing` (a roll-out began), `waiting` (for people), `accepted` (asked for by API, and not
            released), `refused`, or `failed` if a turn ran or people agreed to a release, else None.
        version: The version that it is about.
        message: How the turn ended.
        rollout: The roll-out that this look moved on, None if it moved none.
        trigger: Why the turn started; empty if none ran.
    """

    watched: Watched
    decision: Decision
    event: str | None = None
    version: int | None = None
    message: str = ""
    rollout: Rollout | None = None
    trigger: str = ""


@dataclass(frozen=True)
class _End:
    """How a turn, or a release that people agreed to, ended."""

    event: str
    version: int | None
    message: str


def tick(
    project: Project,
    journal: JournalReader,
    triggers: Sequence[Trigger],
    profiler: Profiler | None = None,
    reweigher: Reweigher | None = None,
    beside: Beside | None = None,
) -> Tick:
    """Watches, moves a roll-out on, looks after incidents, releases what was agreed to, starts a turn if one is due.

    A turn of ours whose process died is gone on with first.

    Args:
        triggers: The charter's, or those of a policy that is replayed.
        profiler: Of this journal; None opens the project's own.
        reweigher: As `watch` takes it.
        beside: Takes the turn, so that the look ends at once; None to wait for the turn's end.
    """
    watched = watch(project, journal, profiler, reweigher)
    moved = advance(project, journal)
    look_after_incidents(project)
    agreed = _release_agreed(project, journal)
    if agreed is None and (beside is None or not beside.is_at_work(project)):
        agreed = _release_left(project, journal)
    if agreed is not None:
        return Tick(watched, Decision(False, ""), agreed.event, agreed.version, agreed.message, moved)
    if beside is not None:
        return Tick(watched, _begin_beside(project, journal, watched, triggers, beside), rollout=moved)
    going = _go_on(project, journal)
    if going is not None:
        return Tick(watched, Decision(False, ""), going.event, going.version, going.message, moved, "cut off")
    asked = _start_wanted(project)
    if asked is not None:
        return Tick(
            watched, Decision(True, asked.message), asked.event, asked.version, asked.message, moved, "by API"
        )
    decision, noted = _decide(project, journal, watched, triggers)
    end = _run(project, journal, decision.reason, noted) if decision.start else None
    if end is None:
        return Tick(watched, replace(decision, start=False), rollout=moved)
    return Tick(watched, decision, end.event, end.version, end.message, moved, decision.reason)


def work(project: Project, journal: JournalReader, decision: str | None = None) -> str:
    """Takes one turn: the one that was decided, else one that was cut off, else the oldest that was asked for.

    Args:
        decision: The line of the decision.

    Returns:
        What came of it, in a sentence.

    Raises:
        NotFound: there is no such decision.
    """
    if decision is not None:
        with project.engine.connect() as connection:
            reason = ", ".join(decisions.get(connection, decision).triggers)
        end = _run(project, journal, reason, decision)
    else:
        end = _go_on(project, journal) or _start_wanted(project)
    if end is None:
        return "There is nothing to do now."
    about = "" if end.version is None else f"version {end.version}, "
    return f"Turn ended: {about}{end.event}. {end.message}"


def _begin_beside(
    project: Project, journal: JournalReader, watched: Watched, triggers: Sequence[Trigger], beside: Beside
) -> Decision:
    """Lets another process take the turn that is due."""
    is_free = not beside.is_at_work(project)
    if is_free and (is_cut_off(project) or _wanted(project) is not None):
        beside.start(project)
        return Decision(False, "")
    if beside.has_process:
        return Decision(False, "")  # what it comes to may be what is asked for
    decision, noted = _decide(project, journal, watched, triggers)
    if decision.start and not is_free:
        reason = f"{decision.reason}; but another turn is running in this project"
        came_of(project, noted, started=False, reason=reason)
        return replace(decision, start=False)
    if decision.start:
        beside.start(project, noted)
    return decision


def _decide(
    project: Project, journal: JournalReader, watched: Watched, triggers: Sequence[Trigger]
) -> tuple[Decision, str]:
    """Whether a turn is due, said and on record; the line of the record is empty if nothing asked for one."""
    decision = decide(project, journal, watched.open, triggers)
    if not decision.reason:
        return decision, ""
    project.say(f"{'Turn starts' if decision.start else 'No turn'}: {decision.reason}")
    return decision, note_decision(project, decision)


def _run(project: Project, journal: JournalReader, reason: str, noted: str) -> _End | None:
    """Runs the turn that is due; None if another one is running.

    Args:
        noted: The decision to start it.
    """
    try:
        result = run_turn(project, as_of=project.clock(), quick=True, trigger=reason, actor=ACTOR)
    except Busy as error:
        came_of(project, noted, started=False, reason=f"{reason}; but {error.what}")
        return None
    except VitokError as error:
        with project.engine.connect() as connection:
            begun = turns.last(connection)
        if begun is not None and (begun.actor, begun.trigger) == (ACTOR, reason):
            came_of(project, noted, turn=begun.id)
        return _End("failed", None, str(error))
    came_of(project, noted, turn=result.turn)
    return _after(project, journal, result)


def _start_wanted(project: Project) -> _End | None:
    """Starts the oldest turn that somebody has asked the server for.

    Its version is released by whoever may, as after `vitok run`: who may train need not be who may release.
    """
    found = _wanted(project)
    if found is None:
        return None
    project.say(f"Turn starts: {found.trigger}")
    try:
        require_act(project, found.actor, "train")  # roles may have changed since
        result = run_turn(project, quick=True, trigger=found.trigger, actor=found.actor)
    except Busy:  # the next look tries it again
        return None
    except VitokError as error:
        with project.engine.begin() as connection:
            begun = wanted.turn_of(connection, found)
            wanted.led_to(connection, found.number, begun or "none")
        return _End("failed", None, str(error))
    with project.engine.begin() as connection:
        wanted.led_to(connection, found.number, result.turn)
    return _End("accepted" if result.accepted else "refused", result.version.number, found.trigger)


def _wanted(project: Project) -> wanted.Wanted | None:
    with project.engine.begin() as connection:
        return wanted.oldest(connection)


def _go_on(project: Project, journal: JournalReader) -> _End | None:
    """Goes on with a turn whose process died; only what we started ourselves is released afterwards."""
    try:
        result = resume_cut_off(project, actor=ACTOR)
    except VitokError as error:
        return _End("failed", None, str(error))
    if result is None or result.actor != ACTOR:
        return None
    return _after(project, journal, result)


def _after(project: Project, journal: JournalReader, result: TurnResult) -> _End:
    """What becomes of the version that a turn registered."""
    number = result.version.number
    if not result.accepted:
        failed = [gate.reason for gate in result.verdict.gates if not gate.passed]
        event = "waiting" if result.verdict.state == "waiting" else "refused"
        return _End(event, number, "; ".join(failed))
    return _release_of(project, journal, result.turn, number)


def _release_of(project: Project, journal: JournalReader, turn: str, number: int) -> _End:
    """Releases what a turn of ours came to; where that cannot be now, a later look tries it again."""
    try:
        end = _told(release_version(project, journal, number, actor=ACTOR), number)
    except Busy as error:
        return _End("waiting", number, str(error))
    except Refused as error:
        end = _End("waiting", number, str(error))
        if not _was_tried(project, number):  # releases are frozen: nobody was asked
            return end
    except UserMistake as error:
        end = _End("refused", number, str(error))
    _settle(project, turn)
    return end


def _release_left(project: Project, journal: JournalReader) -> _End | None:
    """Releases what the newest turn of ours came to, if its process died before, or could not."""
    with project.engine.connect() as connection:
        turn = turns.last(connection)
    if (
        turn is None
        or turn.settled
        or (turn.actor, turn.state) != (ACTOR, "accepted")
        or turn.version is None
    ):
        return None
    if _was_tried(project, turn.version):
        _settle(project, turn.id)
        return None
    end = _release_of(project, journal, turn.id, turn.version)
    return None if end.event == "waiting" else end


def _was_tried(project: Project, number: int) -> bool:
    with project.engine.connect() as connection:
        return releases.was_tried(connection, number)


def _settle(project: Project, turn: str) -> None:
    with project.engine.begin() as connection:
        turns.advance(connection, turn, settled=True)


def _release_agreed(project: Project, journal: JournalReader) -> _End | None:
    """Releases the oldest version to whose release everybody has agreed, if there is one."""
    for request in settle_requests(project):
        how = {"strategy": request.strategy, "flag": request.flag, "actor": request.actor}
        try:
            released = release_version(project, journal, request.version, **how)  # type: ignore[arg-type]
        except VitokError as error:  # such as a roll-out under way: it stays agreed to, and is tried again
            project.say(f"{request.name} is agreed to, but: {error}")
            continue
        return _told(released, request.version)
    return None


def _told(released: Released, number: int) -> _End:
    if released.rollout is None:
        return _End("promoted", number, f"version {number} answers from now on")
    strategy = released.rollout.way.strategy
    return _End("releasing", number, f"version {number} is rolled out: {strategy}")
