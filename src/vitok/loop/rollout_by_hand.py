"""What people do with a roll-out that goes on: hold it at its share, let it go on, or promote its version early."""

from vitok.errors import Busy, NotFound, Refused, UserMistake
from vitok.loop.journals import JournalReader
from vitok.loop.observe import Observed, observe
from vitok.loop.project import Project
from vitok.loop.release import in_force, require_whole
from vitok.loop.rollout import Released, make_move, plans_of
from vitok.registry import rollouts, versions
from vitok.registry.rollouts import Rollout
from vitok.release.rollout import Move, against_promotion, paused, promoted, resumed


def pause_rollout(project: Project, *, actor: str, reason: str) -> Released:
    """Holds a roll-out at its share: no further share and no promotion; what takes it back goes on.

    Raises:
        NotFound: no roll-out goes on.
        UserMistake: it is paused already, or no reason is given.
        Busy: it moved on at this moment.
    """
    rollout = _under_way(project, reason)
    if rollout.state == "paused":
        raise UserMistake(_place(rollout), "is paused already", "Let it go on: vitok releases resume.")
    return _move(project, rollout, paused(rollout.position, reason), actor)


def resume_rollout(project: Project, *, actor: str, reason: str) -> Released:
    """Lets a paused roll-out go on; its time at this share begins anew.

    Raises:
        NotFound: no roll-out goes on.
        UserMistake: it is not paused, or no reason is given.
        Busy: it moved on at this moment.
    """
    rollout = _under_way(project, reason)
    if rollout.state != "paused":
        raise UserMistake(_place(rollout), f"is not paused, it is {rollout.state}", "There is nothing to do.")
    return _move(project, rollout, resumed(rollout.way, rollout.position, reason), actor)


def promote_rollout(project: Project, journal: JournalReader, *, actor: str, reason: str) -> Released:
    """Gives the version that is rolled out all traffic before its last share is reached.

    Raises:
        NotFound: no roll-out goes on, or the bundle is gone.
        UserMistake: no reason is given.
        Refused: a limit is broken, or harm is not excluded yet: evidence cannot be replaced by a reason.
        Busy: it moved on at this moment.
    """
    rollout = _under_way(project, reason)
    with project.engine.connect() as connection:
        plans = plans_of(connection, rollout.number)
        version = versions.get(connection, rollout.version)
    seen = observe(project, journal, rollout, plans, project.clock())
    left = against_promotion(rollout.way, seen.evidence)
    if left:
        remedy = "Wait for the evidence, or end it: vitok rollback."
        raise Refused(f"version {rollout.version}", f"harm is not excluded: {'; '.join(left)}", remedy)
    require_whole(project, version)
    return _move(project, rollout, promoted(rollout.position, reason), actor, seen)


def _under_way(project: Project, reason: str) -> Rollout:
    if not reason.strip():
        raise UserMistake("reason", "is empty", "Say why, for the record.")
    with project.engine.connect() as connection:
        found = rollouts.current(connection)
    if found is None:
        raise NotFound("roll-out", "none goes on", "Begin one: vitok release VERSION.")
    return found


def _place(rollout: Rollout) -> str:
    return f"roll-out {rollout.number}"


def _move(
    project: Project, rollout: Rollout, made: Move, actor: str, seen: Observed | None = None
) -> Released:
    with in_force(project) as connection:
        if rollouts.get(connection, rollout.number).position != rollout.position:
            what = "has moved on at this moment"
            raise Busy(_place(rollout), what, f"Look again: vitok releases show {rollout.number}.")
        found, release = make_move(project, connection, rollout, made, actor, seen, {})
    return Released(release, found)
