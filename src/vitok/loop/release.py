"""Putting a version into production, and taking it back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from vitok.errors import Busy, Fault, NotFound, Refused, VitokError
from vitok.govern import audit
from vitok.kernel.clock import format_time
from vitok.kernel.ids import new_id
from vitok.loop.approving import Wish, mark_released, require_agreement
from vitok.loop.backup import back_up_before_release
from vitok.loop.freeze import require_no_freeze
from vitok.loop.notify import emit
from vitok.loop.policy import policy_of, require_columns, require_outliers, safe_rule
from vitok.loop.project import Project
from vitok.model.bundle import load_manifest
from vitok.model.runtime import load_model
from vitok.registry import releases, rollouts, versions
from vitok.release.plan import ACCEPTED, Arm, Plan
from vitok.release.policy import Policy
from vitok.store.blobs import write_atomically
from vitok.store.writing import begin_writing

PLAN_FILE = "plan.json"
FALLBACK = "fallback"  # how the list of releases names first aid by the fallback


@dataclass(frozen=True)
class Change:
    """What puts a plan in force.

    Args:
        strategy: As the list of releases names it.
        before: The state that the release in force so far takes.
        salt: Of the routing; empty for the project's own.
    """

    strategy: str
    actor: str
    before: str
    evidence: dict[str, Any]
    salt: str = ""


def release_at_once(
    project: Project, number: int, *, actor: str, strategy: str | None = None
) -> releases.Release:
    """Gives an accepted version all traffic.

    Args:
        strategy: What was asked for; None for the charter's way.

    Raises:
        NotFound: no such version, or its bundle is gone.
        Refused: its verdict is not *accepted*, or it needs approvals.
        Busy: a roll-out is under way.
        CharterMistake: a rule names a column that requests do not have.
    """
    version, now_released = releasable(project, number)
    if now_released is not None and now_released.version == number:
        if now_released.plan.policy == policy_of(project.document):
            publish_plan(project)
            return now_released
        evidence = {"verdict": version.turn, "policy": "the charter's rules for answers changed"}
    else:
        risk = require_agreement(project, version, now_released, Wish(strategy, None, actor))
        back_up_before_release(project, number)
        evidence = {"verdict": version.turn, "risk": risk}
    with in_force(project) as connection:
        require_still_releasable(project, connection, number, now_released)
        return give_all(project, connection, version, Change("immediate", actor, "superseded", evidence))


def releasable(project: Project, number: int) -> tuple[versions.Version, releases.Release | None]:
    """An accepted version whose bundle is whole, and the release in force.

    Raises:
        NotFound: no such version, or its bundle is gone.
        Refused: its verdict is not *accepted*, or an incident freezes releases.
        Busy: a roll-out is under way.
    """
    with project.engine.connect() as connection:
        version, now_released = _allowed(project, connection, number)
    require_whole(project, version)
    return version, now_released


def require_still_releasable(
    project: Project, connection: Connection, number: int, seen: releases.Release | None
) -> None:
    """Looks again at what `releasable` has found, in the transaction that writes: of two at once, one wins.

    Args:
        seen: The release that was in force then.

    Raises:
        Refused: the verdict was taken back meanwhile, or an incident freezes releases now.
        Busy: somebody else was faster.
    """
    now = _allowed(project, connection, number)[1]
    if now is not None and (seen is None or now.epoch != seen.epoch):
        what = f"{now.actor} was faster: version {now.version} ({now.strategy}) is in force since {now.plan.created}"
        raise Busy("release", what, "Look at `vitok releases`, then try again.")


def _allowed(
    project: Project, connection: Connection, number: int
) -> tuple[versions.Version, releases.Release | None]:
    """The version and the release in force, if the registry allows to release the version now."""
    version, now_released = versions.get(connection, number), releases.current(connection)
    under_way = rollouts.current(connection)
    if now_released is None or now_released.version != number:
        require_no_freeze(connection, project.charter, number)
    if version.verdict != ACCEPTED:
        failed = "; ".join(gate["reason"] for gate in version.gates if not gate["passed"])
        waits = version.verdict == "waiting"
        raise Refused(
            f"version {number}",
            f"its verdict is {version.verdict!r} ({failed})",
            "See `vitok approvals`, then `vitok approve ID`."
            if waits
            else "Improve the model or revise the gates, then run again.",
        )
    if under_way is not None:
        raise Busy(
            "release",
            f"the roll-out of version {under_way.version} is {under_way.state}, begun by {under_way.actor}",
            f"Let it end, or end it with `vitok rollback {under_way.version}`.",
        )
    return version, now_released


def require_whole(project: Project, version: versions.Version) -> None:
    """Reads every byte of a bundle and answers its example, so that what is wrong is known before it is needed.

    Raises:
        NotFound: a file of it is gone.
        Fault: a byte of it is damaged, or it cannot answer.
    """
    manifest = load_manifest(project.blobs, version.digest)
    require_columns(project.document, manifest)
    require_outliers(project.document, manifest, project.blobs)
    missing = [name for name, digest in manifest.files.items() if not project.blobs.has(digest)]
    if missing:
        raise NotFound(
            f"version {version.number}",
            f"files of its bundle are gone: {', '.join(missing)}",
            "Restore .vitok/blobs from a backup.",
        )
    for digest in manifest.files.values():
        project.blobs.get(digest)
    load_model(project.blobs, version.digest, version=version.number).warm_up()


def give_all(
    project: Project, connection: Connection, version: versions.Version, change: Change
) -> releases.Release:
    """Gives a version all traffic, by a plan of its own, in a transaction of `in_force`."""
    arms = (Arm(version.number, version.digest, "champion", 1.0),)
    release = put_in_force(project, connection, version, arms, change)
    mark_released(project, connection, version.number)
    kind = "rollback" if change.strategy == releases.ROLLBACK else "release"
    told = {"epoch": release.epoch, "version": version.number, "actor": change.actor, **change.evidence}
    emit(connection, project.charter, project.clock(), kind, f"version {version.number}", told)
    return release


@contextmanager
def in_force(project: Project) -> Iterator[Connection]:
    """A transaction that changes the plan; when it is over, the workers are told.

    Nobody else writes meanwhile: what is read in it still holds when it ends.

    Raises:
        Busy: another one changed the plan at the same moment.
    """
    try:
        with project.engine.begin() as connection:
            begin_writing(connection)
            yield connection
    except IntegrityError as error:
        raise Busy(
            "release",
            "another release came into force at the same moment",
            "Look at `vitok releases`, then try again.",
        ) from error
    publish_plan(project)


def answer_safely(project: Project, incident: int, *, actor: str) -> releases.Release:
    """Lets every row get the charter's fallback, whatever the model says; the versions stay where they are."""
    return _replan(project, Change(FALLBACK, actor, "superseded", {"incident": incident}), incident)


def answer_normally(project: Project, incident: int, *, actor: str) -> releases.Release:
    """Lets the model answer again after `answer_safely`."""
    return _replan(project, Change("fallback ended", actor, "superseded", {"incident": incident}), None)


def _replan(project: Project, change: Change, incident: int | None) -> releases.Release:
    """The plan in force once more, with or without first aid."""
    with in_force(project) as connection:
        now_released = releases.current(connection)
        assert now_released is not None
        version = versions.get(connection, now_released.version)
        release = put_in_force(project, connection, version, now_released.plan.arms, change, aid=incident)
        told = {"epoch": release.epoch, "version": version.number, "actor": change.actor, **change.evidence}
        emit(connection, project.charter, project.clock(), "release", f"version {version.number}", told)
    return release


def put_in_force(
    project: Project,
    connection: Connection,
    version: versions.Version,
    arms: tuple[Arm, ...],
    change: Change,
    *,
    aid: int | None = None,
) -> releases.Release:
    """Makes a plan of these arms and puts it in force.

    Args:
        version: Of the champion among them.
        aid: The incident because of which every row gets the fallback; None for the charter's ordinary rules.
    """
    now, last = project.clock(), releases.current(connection)
    fallback = _fallback(project, connection, version, change.before)
    verdicts = {arm.digest: versions.get(connection, arm.version) for arm in arms}
    plan = Plan(
        epoch=1 if last is None else last.epoch + 1,
        project=project.charter.project,
        strategy=change.strategy,
        arms=arms,
        verdicts={digest: f"{found.verdict}:{found.turn}" for digest, found in verdicts.items()}
        | _verdict(fallback),
        created=format_time(now),
        policy=_policy(project, aid),
        fallback=None if fallback is None else Arm(fallback.number, fallback.digest, "fallback", 0.0),
        salt=change.salt,
    )
    release = releases.activate(
        connection,
        plan,
        release_id=new_id(now),
        now=now,
        actor=change.actor,
        before=change.before,
        evidence=change.evidence,
    )
    subject, told = f"version {version.number}", {"epoch": plan.epoch, **change.evidence}
    audit.record(connection, now, change.actor, change.strategy, subject, told)
    return release


def _fallback(
    project: Project, connection: Connection, version: versions.Version, before: str
) -> versions.Version | None:
    """The last other version that was in production and whose bundle is whole, if the charter wants one.

    Args:
        before: The state that the release in force so far takes: what is taken back is no help.
    """
    if not project.document.decisions.previous:
        return None
    history = releases.all_releases(connection)
    left = [*history[:-1], *(replace(each, state=before) for each in history[-1:])]
    for release in releases.others_before(left, version.number):
        earlier = versions.get(connection, release.version)
        try:
            files = load_manifest(project.blobs, earlier.digest).files
        except VitokError:
            continue  # its bundle is gone: it cannot help
        if earlier.verdict == ACCEPTED and all(project.blobs.has(digest) for digest in files.values()):
            return earlier
    return None


def _policy(project: Project, aid: int | None) -> Policy:
    ordinary = policy_of(project.document)
    if aid is None:
        return ordinary
    return msgspec.structs.replace(ordinary, before=(safe_rule(project.document, aid), *ordinary.before))


def _verdict(version: versions.Version | None) -> dict[str, str]:
    return {} if version is None else {version.digest: f"{ACCEPTED}:{version.turn}"}


def publish_plan(project: Project) -> None:
    """Writes the plan in force to the file that the serving workers watch; safe to repeat."""
    with project.engine.connect() as connection:
        release = releases.current(connection)
    if release is None:
        return
    path, content = project.state / PLAN_FILE, release.plan.to_json()
    if not path.exists() or (path.read_bytes() != content and not _is_newer(path, release.epoch)):
        write_atomically(path, content)


def _is_newer(path: Path, epoch: int) -> bool:
    """Whether the workers follow a plan that was made while the database was away."""
    try:
        return Plan.from_json(path.read_bytes()).epoch > epoch
    except Fault:
        return False


def release_json(release: releases.Release) -> dict[str, Any]:
    """The object that `vitok release --json` prints."""
    return {
        "release": release.id,
        "epoch": release.epoch,
        "version": release.version,
        "strategy": release.strategy,
        "state": release.state,
        "share": release.plan.champion.share,
        "created": format_time(release.created),
        "actor": release.actor,
        "evidence": release.evidence,
    }
