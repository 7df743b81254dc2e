"""Going back, also while the database is away: then the workers' plan is changed first, and the record follows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from vitok.errors import CharterMistake, Fault, NotFound, UserMistake
from vitok.govern import audit
from vitok.kernel.clock import Clock, format_time, parse_time
from vitok.kernel.ids import new_id
from vitok.loop.project import Project
from vitok.loop.release import PLAN_FILE
from vitok.loop.rollout import end_by_hand
from vitok.model.bundle import load_manifest
from vitok.registry import releases, rollouts
from vitok.release.plan import Arm, Plan
from vitok.release.rollout import Move
from vitok.store.blobs import Blobs, write_atomically
from vitok.store.db import open_database
from vitok.store.writing import wait_for_writers

PENDING_FILE = "rollback.json"
_WAIT_SECONDS = 0.5  # for a database that somebody else has locked: users are waiting


class Pending(msgspec.Struct, frozen=True):
    """A rollback that the database does not know yet.

    Args:
        plan: The plan that it put in force.
    """

    plan: Plan
    time: str
    actor: str
    reason: str


def roll_back(
    open_project: Callable[[], Project], folder: Path, clock: Clock, *, actor: str, reason: str
) -> dict[str, Any]:
    """Ends the roll-out under way, or goes back to the version before.

    If the charter or the database cannot be read, the plan that the workers follow is changed all the same; the record
    is made when both are back.

    Args:
        open_project: Opens the project.
        folder: The project's.

    Returns:
        The object that `vitok rollback --json` prints.

    Raises:
        NotFound: there is nothing to go back to.
        Fault: the database is away, and there is no plan that could be changed.
    """
    try:
        project = open_project()
        wait_for_writers(project.engine, _WAIT_SECONDS)
        with project.engine.connect() as connection:
            is_empty = releases.current(connection) is None
        if not (is_empty and (project.state / PLAN_FILE).exists()):
            return end_by_hand(project, actor=actor, reason=reason).as_json()
        trouble = "the database knows of no release"
    except (CharterMistake, Fault, SQLAlchemyError) as error:
        trouble = str(error).splitlines()[0]
    except UserMistake as error:
        if (
            type(error) is not UserMistake
        ):  # there is no project, nothing to go back to, somebody else was faster
            raise
        trouble = str(error)
    return _by_file(folder / ".vitok", clock, actor, reason, trouble)


def roll_back_beside(project: Project, *, actor: str, reason: str) -> dict[str, Any]:
    """`roll_back` in a process that goes on: on connections of its own, since they wait for writers less long."""
    url, own = project.engine.url.render_as_string(hide_password=False), list[Engine]()

    def opened() -> Project:
        own.append(open_database(url))
        return replace(project, engine=own[-1])

    try:
        return roll_back(opened, project.folder, project.clock, actor=actor, reason=reason)
    finally:
        for engine in own:
            engine.dispose()


def _by_file(state: Path, clock: Clock, actor: str, reason: str, trouble: str) -> dict[str, Any]:
    try:
        plan = Plan.from_json((state / PLAN_FILE).read_bytes())
    except OSError as error:
        raise Fault(
            "rollback", f"{trouble}; and there is no plan of the workers", "Mend the database."
        ) from error
    told = f"{reason} (the database was away: {trouble})"
    made = plan if plan.strategy == "rollback" else _taken_back(plan, state, format_time(clock()))
    if made is not plan:
        pending = Pending(made, made.created, actor, told)
        write_atomically(state / PENDING_FILE, msgspec.json.encode(pending))
        write_atomically(state / PLAN_FILE, made.to_json())
    return {
        "release": None,
        "epoch": made.epoch,
        "version": made.champion.version,
        "strategy": "rollback",
        "state": releases.IN_FORCE,
        "share": 1.0,
        "created": made.created,
        "actor": actor,
        "evidence": {"reason": told},
        "rollout": None,
        "candidate": None,
    }


def _taken_back(plan: Plan, state: Path, now: str) -> Plan:
    target, blobs = _target(plan), Blobs(state / "blobs")
    for digest in (target.digest, *load_manifest(blobs, target.digest).files.values()):
        blobs.get(digest)  # what is gone or damaged must not get the traffic
    arms = (Arm(target.version, target.digest, "champion", 1.0),)
    return msgspec.structs.replace(
        plan, epoch=plan.epoch + 1, strategy="rollback", arms=arms, created=now, fallback=None
    )


def _target(plan: Plan) -> Arm:
    """Whom a plan falls back on: while something is tried, the old champion; else the version before."""
    old = [
        arm for arm in plan.live if arm.role != "champion" and arm.share == 0
    ]  # blue-green keeps it loaded
    if old:
        return old[0]
    if len(plan.arms) > 1:
        return plan.champion
    if plan.fallback is None:
        what = f"the plan of the workers names no version before {plan.champion.version}"
        raise NotFound("rollback", what, "Mend the database, or release another version.")
    return plan.fallback


def record_pending(project: Project) -> None:
    """Records a rollback that was made while the database was away; safe to repeat.

    If the database moved on meanwhile its plan stands, and the rollback is only written down.
    """
    path = project.state / PENDING_FILE
    if not path.exists():
        return
    pending = msgspec.json.decode(path.read_bytes(), type=Pending)
    now = project.clock()
    evidence = {"reason": pending.reason}
    try:
        with project.engine.begin() as connection:
            last, under_way = releases.current(connection), rollouts.current(connection)
            epoch = None
            if last is not None and last.epoch < pending.plan.epoch:
                releases.activate(
                    connection,
                    pending.plan,
                    release_id=new_id(now),
                    now=parse_time(pending.time),
                    actor=pending.actor,
                    before="rolled back",
                    evidence=evidence,
                )
                epoch = pending.plan.epoch
            if under_way is not None:
                made = Move("aborted", under_way.stage, pending.reason)
                rollouts.move(
                    connection, under_way, made, now, actor=pending.actor, epoch=epoch, evidence=None, seen={}
                )
            subject = f"version {pending.plan.champion.version}"
            audit.record(connection, now, pending.actor, "rollback", subject, evidence)
    except IntegrityError:
        return  # another process is recording it
    path.unlink(missing_ok=True)
