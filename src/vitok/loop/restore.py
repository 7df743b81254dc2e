"""Putting an archive in place: a whole project into an empty folder, or the state of one into the project itself."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from vitok.errors import Busy, Fault, UserMistake
from vitok.govern import audit
from vitok.kernel.clock import system_clock
from vitok.loop.backup import HOME, ROWS_FILE, STATE, STATE_FILE
from vitok.loop.keys import publish_keys
from vitok.loop.outcomes import JOURNAL
from vitok.loop.project import Project
from vitok.loop.release import PLAN_FILE, publish_plan, require_whole
from vitok.loop.rollback import PENDING_FILE
from vitok.loop.turn import LOCK
from vitok.registry import releases, versions
from vitok.release.keys import KEYS_FILE
from vitok.release.plan import Plan
from vitok.store.archive import unpack
from vitok.store.blobs import Blobs
from vitok.store.copies import dump_rows, load_rows, replace_rows
from vitok.store.db import new_database, open_database
from vitok.store.heartbeat import read_heartbeat
from vitok.store.locks import hold
from vitok.store.schema import HEAD
from vitok.store.writing import begin_writing

_ALIVE_SECONDS = 30.0
_REPLACED = (STATE_FILE, f"{STATE_FILE}-wal", f"{STATE_FILE}-shm", PLAN_FILE, PENDING_FILE, KEYS_FILE)


def restore(
    file: Path,
    folder: Path,
    open_project: Callable[[Path], Project],
    *,
    database: str | None = None,
    lake: str | None = None,
    actor: str = "user",
) -> dict[str, Any]:
    """Puts an archive in place, after every byte of it was verified: all of it, or nothing.

    Args:
        file: An archive of `vitok backup`, or one that was written before a release.
        folder: An empty or new folder; for an archive from before a release, the project itself.
        open_project: Opens a project in a folder.
        database, lake: What the settings name in place of the project's own; None for those.

    Returns:
        The object that `vitok restore --json` prints.

    Raises:
        NotFound: there is no such file.
        UserMistake: the folder or the database is not empty, or the disk is full.
        Fault: the archive is damaged, was changed, or comes from a newer Vitok.
        Busy: the project whose state is to be restored is at work.
    """
    folder = folder.resolve()
    is_project = (folder / HOME).is_dir()
    if not is_project and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserMistake(str(folder), "is not empty", "Name a new folder.")
    with _staging(folder / HOME if is_project else folder.parent) as staging:
        manifest = unpack(file, staging)
        _require_known(file, manifest)
        if is_project != (manifest["kind"] == STATE):
            raise _wrong_place(file, folder, is_project=is_project)
        if is_project:
            return _put_state(manifest, staging, open_project(folder), database, actor)
        return _put_whole(manifest, staging, folder, open_project, database, lake, actor)


def _put_whole(
    manifest: dict[str, Any],
    staging: Path,
    folder: Path,
    open_project: Callable[[Path], Project],
    database: str | None,
    lake: str | None,
    actor: str,
) -> dict[str, Any]:
    if lake is not None and "://" not in lake and (staging / HOME / "lake").is_dir():
        what = f"names {lake}, and the archive brings a lake of its own"
        raise UserMistake("VITOK_LAKE_URL", what, "Unset it; a folder can be moved afterwards.")
    _require_blobs(manifest)
    _fill_database(manifest, staging / HOME, database)
    project = open_project(staging)
    found = _finish(project, manifest, actor)
    if folder.exists():
        folder.rmdir()
    os.rename(staging, folder)
    return {**found, "project": str(folder)}


def _put_state(
    manifest: dict[str, Any], staging: Path, project: Project, database: str | None, actor: str
) -> dict[str, Any]:
    """Puts database, plan and keys in the place of the present ones, which are moved aside.

    Rows of a database that the settings name are replaced in one transaction, and put aside as lines.
    """
    home, aside = project.state, project.state / f"replaced-{secrets.token_hex(4)}"
    if manifest["project"] != project.charter.project:
        what = f"holds the project {manifest['project']!r}, not {project.charter.project!r}"
        raise UserMistake("archive", what, "Name the project that it comes from.")
    plan = staging / HOME / PLAN_FILE
    for digest in [arm.digest for arm in Plan.from_json(plan.read_bytes()).arms] if plan.exists() else []:
        Blobs(home / "blobs").get(digest)
    _fill_database(manifest, staging / HOME, None)
    with _alone(project):
        project.engine.dispose()
        aside.mkdir()
        if database is None:
            with _exchanged(staging / HOME, home, aside):
                pass
        else:
            _exchange_rows(project, staging / HOME, home, aside)
        found = _finish(project, manifest, actor)
    return {**found, "project": str(project.folder), "replaced": str(aside)}


def _exchange_rows(project: Project, new: Path, home: Path, aside: Path) -> None:
    """Replaces the rows, and with them the files; if either fails, both stay as they were."""
    own = new / STATE_FILE
    try:
        with ExitStack() as files, project.engine.begin() as connection:
            begin_writing(connection)
            with (aside / ROWS_FILE).open("wb") as target:
                target.writelines(dump_rows(connection))
            # Opening brings rows of an earlier schema up to date.
            with _closing(open_database(f"sqlite:///{own}")) as source, source.connect() as archived:
                replace_rows(connection, dump_rows(archived))
            own.unlink()
            files.enter_context(_exchanged(new, home, aside))  # put back if the rows cannot be committed
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


@contextmanager
def _exchanged(new: Path, home: Path, aside: Path) -> Iterator[None]:
    """Moves files aside and others into their place; if one cannot be moved, or the block fails, all are put back."""
    moved: list[tuple[Path, Path]] = []
    try:
        for name in _REPLACED:
            for source, target in ((home / name, aside / name), (new / name, home / name)):
                if source.exists():
                    os.rename(source, target)
                    moved.append((source, target))
        yield
    except BaseException:
        for source, target in reversed(moved):
            os.rename(target, source)
        shutil.rmtree(aside)
        raise


def _finish(project: Project, manifest: dict[str, Any], actor: str) -> dict[str, Any]:
    """Brings plan and keys to what the database says, and makes sure that the champion can answer.

    Raises:
        Fault: the audit log is not whole, or a bundle is damaged.
        NotFound: a bundle is gone.
    """
    details = {"created": manifest["created"], "vitok": manifest["vitok"], "kind": manifest["kind"]}
    with project.engine.begin() as connection:
        broken = audit.verify(connection)
        if broken is not None:
            raise Fault("audit log", f"line {broken} was altered or removed", "Use another archive.")
        release = releases.current(connection)
        version = None if release is None else versions.get(connection, release.version)
        audit.record(connection, project.clock(), actor, "restore", "project", details)
    if version is not None:
        require_whole(project, version)
    publish_plan(project)
    if (project.state / KEYS_FILE).exists():
        publish_keys(project)
    project.engine.dispose()
    return {
        "kind": manifest["kind"],
        "created": manifest["created"],
        "version": None if version is None else version.number,
        "members": len(manifest["files"]),
        "sources": sorted(project.charter.data.sources.values()),
    }


def _fill_database(manifest: dict[str, Any], home: Path, database: str | None) -> None:
    """Puts rows into the database that the settings name, or makes one in the project of them."""
    own, rows = home / STATE_FILE, home / ROWS_FILE
    try:
        if rows.exists():
            empty = new_database(database or f"sqlite:///{own}", manifest["schema"])
            with rows.open("rb") as lines, _closing(empty) as target:
                load_rows(target, lines)
            rows.unlink()
        elif database is not None:
            with (
                _closing(open_database(f"sqlite:///{own}")) as source,
                _closing(new_database(database, HEAD)) as target,
                source.connect() as connection,
            ):
                load_rows(target, dump_rows(connection))
            own.unlink()
    except SQLAlchemyError as error:
        raise Fault("state database", str(error).splitlines()[0], "Use another archive.") from error


@contextmanager
def _closing(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.dispose()


def _require_known(file: Path, manifest: dict[str, Any]) -> None:
    missing = {"kind", "schema", "project", "created", "vitok"} - manifest.keys()
    if missing:
        raise Fault(str(file), f"its manifest lacks {min(missing)!r}", "Use another archive.")
    if manifest["schema"] > HEAD:
        what = f"has schema {manifest['schema']} (Vitok {manifest['vitok']}), this Vitok knows {HEAD}"
        raise Fault(str(file), what, "Update Vitok.")


def _require_blobs(manifest: dict[str, Any]) -> None:
    """Bundles are known by the digest of their bytes: an archive that was made up cannot bring others."""
    for name, digest in manifest["files"].items():
        if name.startswith(f"{HOME}/blobs/") and Path(name).name != digest:
            raise Fault(name, "the bytes differ from the digest that is their name", "Use another archive.")


def _wrong_place(file: Path, folder: Path, *, is_project: bool) -> UserMistake:
    if is_project:
        return UserMistake(str(folder), "is a project already", "Name a new folder for a whole archive.")
    what = "holds the state of a project from before a release, without bundles and lake"
    return UserMistake(str(file), what, "Name the project itself with --project, or a whole archive.")


@contextmanager
def _alone(project: Project) -> Iterator[None]:
    """Holds what others would write with.

    Raises:
        Busy: a keeper, a turn or a mover is at work.
    """
    sign = read_heartbeat(project.state)
    if sign is not None and 0 <= system_clock().timestamp() - sign.seen < _ALIVE_SECONDS:
        raise Busy(
            "vitok restore", "the keeper of `vitok up` is at work", "Stop it, wait half a minute, try again."
        )
    with ExitStack() as stack:
        for path in (project.state / LOCK, project.state / JOURNAL / "mover.lock"):
            stack.enter_context(hold(path, "vitok restore"))
        yield


@contextmanager
def _staging(parent: Path) -> Iterator[Path]:
    """A folder beside the place, so that putting it there is one step; gone if anything fails."""
    staging = parent / f".restoring-{secrets.token_hex(8)}"
    try:
        staging.mkdir(parents=True, mode=0o700)
        yield staging
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        raise UserMistake(str(parent), what, "Free disk space or permissions, then run again.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
