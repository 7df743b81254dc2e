"""Putting a version into production, and taking it back."""

from typing import Any

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from vitok.errors import Busy, NotFound, Refused, UserMistake, VitokError
from vitok.govern import audit
from vitok.kernel.clock import format_time
from vitok.kernel.ids import new_id
from vitok.loop.notify import emit
from vitok.loop.policy import policy_of, require_columns
from vitok.loop.project import Project
from vitok.model.bundle import load_manifest
from vitok.registry import releases, versions
from vitok.release.plan import ACCEPTED, Arm, Plan
from vitok.release.risk import risk_class
from vitok.store.blobs import write_atomically

PLAN_FILE = "plan.json"
_SUPPORTED = "immediate"


def release_version(
    project: Project, number: int, *, strategy: str | None = None, actor: str = "user"
) -> releases.Release:
    """Releases an accepted version.

    Args:
        strategy: None for the charter's; this version of Vitok knows `immediate`.
        actor: Who asks for it.

    Raises:
        NotFound: no such version, or its bundle is gone.
        Refused: its verdict is not *accepted*, or it needs approvals.
        CharterMistake: a rule names a column that requests do not have.
        UserMistake: the strategy comes later.
    """
    chosen = strategy or project.charter.release.strategy
    if chosen != _SUPPORTED:
        raise UserMistake(
            "release.strategy", f"{chosen!r} is not available in this version", "Use --strategy immediate."
        )
    with project.engine.connect() as connection:
        version, now_released = versions.get(connection, number), releases.current(connection)
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
    if now_released is not None and now_released.version == number:
        if now_released.plan.policy != policy_of(project.document):
            evidence = {"verdict": version.turn, "policy": "the charter's rules for answers changed"}
            return _activate(project, version, chosen, actor, "superseded", evidence)
        publish_plan(project)
        return now_released
    risk = _require_approvals(project, version, now_released)
    return _activate(project, version, chosen, actor, "superseded", {"verdict": version.turn, "risk": risk})


def rollback(project: Project, *, actor: str = "user", reason: str = "by hand") -> releases.Release:
    """Goes back to the version that was in production before.

    Raises:
        NotFound: there is none, or its bundle is gone.
    """
    with project.engine.connect() as connection:
        history = releases.all_releases(connection)
        if not history:
            raise NotFound("rollback", "nothing has been released yet", "Release a version first.")
        now_released = history[-1]
        earlier = releases.rollback_target(history)
        if earlier is None:
            raise NotFound(
                "rollback",
                f"there is no version before {now_released.version} to go back to",
                "Release another version.",
            )
        version = versions.get(connection, earlier.version)
    evidence = {"reason": reason, "from": now_released.version}
    return _activate(project, version, "rollback", actor, "rolled back", evidence)


def _require_approvals(project: Project, version: versions.Version, released: releases.Release | None) -> str:
    """The risk class of the change, if nobody has to agree to it."""
    new = _comparable(project, version.digest)
    old = None if released is None else _comparable(project, released.plan.champion.digest)
    risk = risk_class(old, new)
    approvers = getattr(project.charter.approve, risk)
    if approvers != "auto":
        raise Refused(
            f"version {version.number}",
            f"the change is of class {risk} and needs approval by "
            f"{', '.join(approvers)}, which cannot be collected yet",
            f"Set approve.{risk}: auto in the charter if you take the responsibility.",
        )
    return risk


def _comparable(project: Project, digest: str) -> dict[str, Any]:
    manifest: dict[str, Any] = msgspec.to_builtins(load_manifest(project.blobs, digest))
    # Early stopping chooses the number of trees anew with each data set: that is no change of parameters.
    manifest["parameters"].pop("n_estimators", None)
    return manifest


def _activate(
    project: Project,
    version: versions.Version,
    strategy: str,
    actor: str,
    before: str,
    evidence: dict[str, Any],
) -> releases.Release:
    manifest = load_manifest(project.blobs, version.digest)
    require_columns(project.document, manifest)
    missing = [name for name, digest in manifest.files.items() if not project.blobs.has(digest)]
    if missing:
        raise NotFound(
            f"version {version.number}",
            f"files of its bundle are gone: {', '.join(missing)}",
            "Restore .vitok/blobs from a backup.",
        )
    now = project.clock()
    try:
        with project.engine.begin() as connection:
            last = releases.current(connection)
            fallback = _fallback(project, connection, version)
            plan = Plan(
                epoch=1 if last is None else last.epoch + 1,
                project=project.charter.project,
                strategy=strategy,
                arms=(Arm(version.number, version.digest, "champion", 1.0),),
                verdicts={version.digest: f"{ACCEPTED}:{version.turn}"} | _verdict(fallback),
                created=format_time(now),
                policy=policy_of(project.document),
                fallback=None if fallback is None else Arm(fallback.number, fallback.digest, "fallback", 0.0),
            )
            release = releases.activate(
                connection,
                plan,
                release_id=new_id(now),
                now=now,
                actor=actor,
                before=before,
                evidence=evidence,
            )
            audit.record(
                connection,
                now,
                actor,
                strategy,
                f"version {version.number}",
                {"epoch": plan.epoch, **evidence},
            )
            kind = "rollback" if strategy == "rollback" else "release"
            told = {"epoch": plan.epoch, "version": version.number, "actor": actor, **evidence}
            emit(connection, project.charter, now, kind, f"version {version.number}", told)
    except IntegrityError as error:
        raise Busy(
            "release",
            "another release came into force at the same moment",
            "Look at `vitok releases`, then try again.",
        ) from error
    publish_plan(project)
    return release


def _fallback(project: Project, connection: Connection, version: versions.Version) -> versions.Version | None:
    """The last other version that was in production and whose bundle is whole, if the charter wants one."""
    if not project.document.decisions.previous:
        return None
    for release in reversed(releases.all_releases(connection)):
        if release.version == version.number or release.state == "rolled back":
            continue
        earlier = versions.get(connection, release.version)
        try:
            files = load_manifest(project.blobs, earlier.digest).files
        except VitokError:
            continue  # its bundle is gone: it cannot help
        if earlier.verdict == ACCEPTED and all(project.blobs.has(digest) for digest in files.values()):
            return earlier
    return None


def _verdict(version: versions.Version | None) -> dict[str, str]:
    return {} if version is None else {version.digest: f"{ACCEPTED}:{version.turn}"}


def publish_plan(project: Project) -> None:
    """Writes the plan in force to the file that the serving workers watch; safe to repeat."""
    with project.engine.connect() as connection:
        release = releases.current(connection)
    if release is None:
        return
    path, content = project.state / PLAN_FILE, release.plan.to_json()
    if not path.exists() or path.read_bytes() != content:
        write_atomically(path, content)


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
