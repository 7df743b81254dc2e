"""Going back, also while the database is away: then the workers' plan is changed first, and the record follows."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from vitok.errors import CharterMistake, Fault, NotFound, UserMistake
from vitok.govern import audit
from vitok.kernel.clock import Clock, format_time, parse_time
from vitok.kernel.ids import new_id
from vitok.loop.project import Project
from vitok.loop.release import PLAN_FILE
from vitok.loop.rollout import HASTE, TAKEN, end_by_hand, nothing_done
from vitok.model.bundle import load_manifest
from vitok.registry import releases, rollouts
from vitok.release.plan import Arm, Plan
from vitok.release.rollout import Move
from vitok.store.blobs import Blobs, write_atomically
from vitok.store.db import open_database
from vitok.store.writing import begin_writing, wait_for_writers

PENDING_FILE = "rollback.json"
_WAIT_SECONDS = 0.5  # for a database that somebody else has locked: users are waiting


class Pending(msgspec.Struct, frozen=True):
    """A rollback that the database does not know yet.

    Args:
        plan: The plan that it put in force.
        away: The version that it took back; None if a Vitok of before did not say.
    """

    plan: Plan
    time: str
    actor: str
    reason: str
    away: int | None = None


def roll_back(
    open_project: Callable[[], Project],
    folder: Path,
    clock: Clock,
    *,
    actor: str,
    reason: str,
    away: int | None = None,
) -> dict[str, Any]:
    """Ends the roll-out of a version, or goes back from it to the version before.

    If the charter or the database cannot be read, the plan that the workers follow is changed all the same; the record
    is made when both are back.

    Args:
        open_project: Opens the project.
        folder: The project's.
        away: The version that is to answer no longer; None as for `end_by_hand`.

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
            return end_by_hand(project, actor=actor, reason=reason, away=away).as_json()
        trouble = "the database knows of no release"
    except (CharterMistake, Fault, SQLAlchemyError) as error:
        trouble = str(error).splitlines()[0]
    except UserMistake as error:
        if (
            type(error) is not UserMistake
        ):  # there is no project, nothing to go back to, somebody else was faster
            raise
        trouble = str(error)
    return _by_file(folder / ".vitok", clock, _Asked(actor, reason, away), trouble)


def roll_back_beside(project: Project, *, actor: str, reason: str, away: int | None = None) -> dict[str, Any]:
    """`roll_back` in a process that goes on: on connections of its own, since they wait for writers less long."""
    url, own = project.engine.url.render_as_string(hide_password=False), list[Engine]()

    def opened() -> Project:
        own.append(open_database(url))
        return replace(project, engine=own[-1])

    try:
        return roll_back(opened, project.folder, project.clock, actor=actor, reason=reason, away=away)
    finally:
        for engine in own:
            engine.dispose()


class _Asked(NamedTuple):
    """A rollback that is to be made: who wants it and why, and the version that is to answer no longer."""

    actor: str
    reason: str
    away: int | None


def _by_file(state: Path, clock: Clock, asked: _Asked, trouble: str) -> dict[str, Any]:
    try:
        plan = Plan.from_json((state / PLAN_FILE).read_bytes())
    except OSError as error:
        what = f"{trouble}; and there is no plan of the workers"
        raise Fault("rollback", what, "Mend the database.") from error
    now = clock()
    told = f"{asked.reason} (the database was away: {trouble})"
    away, note = _taken(plan, asked.away, now)
    made = plan
    if away is not None:
        made = _without(plan, away, state, format_time(now))
        pending = Pending(made, made.created, asked.actor, told, away)
        write_atomically(state / PENDING_FILE, msgspec.json.encode(pending))
        write_atomically(state / PLAN_FILE, made.to_json())
    return {
        "release": None,
        "epoch": made.epoch,
        "version": made.champion.version,
        "strategy": made.strategy,
        "state": releases.IN_FORCE,
        "share": 1.0,
        "created": made.created,
        "actor": asked.actor,
        "evidence": {"reason": told},
        "rollout": None,
        "candidate": None,
        "warnings": [],
        "taken_back": away,
        "note": note,
    }


def _taken(plan: Plan, away: int | None, now: datetime) -> tuple[int | None, str]:
    """The version that is to go, as far as the plan of the workers tells; or None, and why none."""
    live = [arm.version for arm in plan.arms]
    if away is not None:
        return (away, "") if away in live else (None, f"Nothing was changed: version {away} answers nothing.")
    if len(plan.arms) > 1:
        new = next((arm for arm in plan.arms if arm.role != "champion" and not _stays_loaded(arm)), None)
        return (plan.champion if new is None else new).version, ""
    is_end = bool(plan.salt)  # of a roll-out: its champion answered by default all the time
    is_fresh = now - parse_time(plan.created) < HASTE
    if plan.strategy == releases.ROLLBACK and (not is_end or is_fresh):
        return None, nothing_done(plan.champion.version, "what answered before was taken back")
    return plan.champion.version, ""


def _stays_loaded(arm: Arm) -> bool:
    """Whether an arm is the champion before, which blue-green keeps at hand."""
    return arm.role == "challenger" and arm.share == 0


def _without(plan: Plan, away: int, state: Path, now: str) -> Plan:
    target, blobs = _target(plan, away), Blobs(state / "blobs")
    for digest in (target.digest, *load_manifest(blobs, target.digest).files.values()):
        blobs.get(digest)  # what is gone or damaged must not get the traffic
    arms, stays = (Arm(target.version, target.digest, "champion", 1.0),), target == plan.champion
    return msgspec.structs.replace(
        plan,
        epoch=plan.epoch + 1,
        strategy=releases.ROLLBACK,
        arms=arms,
        created=now,
        fallback=plan.fallback if stays else None,
        salt=plan.salt if stays else "",
    )


def _target(plan: Plan, away: int) -> Arm:
    """Who answers in place of a version: while something is tried, the old champion; else the version before."""
    old = plan.champion
    if old.version == away:
        old = next((arm for arm in plan.arms if _stays_loaded(arm)), old)
    if old.version == away and plan.fallback is not None:
        old = plan.fallback
    if old.version == away:
        what = f"the plan of the workers names no version before {away}"
        raise NotFound("rollback", what, "Mend the database, or release another version.")
    return old


def record_pending(project: Project) -> None:
    """Records a rollback that was made while the database was away; safe to repeat.

    What was released after it stands, and it is only written down. What came into force a moment before it, and it
    could not know of, is taken back as it asks.
    """
    path = project.state / PENDING_FILE
    pending = _read(project, path)
    if pending is None:
        return
    moment = parse_time(pending.time)
    with project.engine.begin() as connection:
        begin_writing(connection)
        if not path.exists():
            return  # another process has recorded it
        last = releases.current(connection)
        is_next = last is not None and last.epoch < pending.plan.epoch
        if is_next:
            _record(project, connection, pending, moment)
        subject = f"version {pending.plan.champion.version}"
        evidence = {"reason": pending.reason}
        audit.record(connection, project.clock(), pending.actor, releases.ROLLBACK, subject, evidence)
    if last is not None and not is_next and last.created <= moment and pending.away is not None:
        end_by_hand(project, actor=pending.actor, reason=pending.reason, away=pending.away)
    path.unlink(missing_ok=True)


def _record(project: Project, connection: Connection, pending: Pending, moment: datetime) -> None:
    under_way = rollouts.current(connection)
    its = {} if under_way is None else {"rollout": under_way.number}
    releases.activate(
        connection,
        pending.plan,
        release_id=new_id(project.clock()),
        now=moment,
        actor=pending.actor,
        before="rolled back",
        evidence={"reason": pending.reason, TAKEN: pending.away, **its},
    )
    if under_way is not None:
        made = Move("aborted", under_way.stage, pending.reason)
        how: dict[str, Any] = {"actor": pending.actor, "epoch": pending.plan.epoch, "evidence": None}
        rollouts.move(connection, under_way, made, project.clock(), **how, seen={})


def _read(project: Project, path: Path) -> Pending | None:
    """What is to be recorded; a file that cannot be read is set aside, so that it is told of once."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Pending)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        aside = path.with_name(f"{path.name}.damaged")
        path.replace(aside)
        project.say(
            f"{path}: a rollback made while the database was away cannot be read ({error}); it was set aside as "
            f"{aside.name}. The workers' plan stays; see `vitok releases` and `vitok doctor`."
        )
        return None
