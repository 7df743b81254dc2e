"""Archives of a project: the whole of it by command, and its state before each release."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import vitok
from vitok.errors import UserMistake
from vitok.journal.copying import copy_spools
from vitok.journal.index import index_path
from vitok.kernel.clock import format_time
from vitok.kernel.digests import digest_bytes
from vitok.loop.outcomes import JOURNAL
from vitok.loop.pins import charter_files
from vitok.loop.project import Project
from vitok.loop.stages import LOGS
from vitok.store.archive import Packer, pack
from vitok.store.copies import copy_sqlite, dump_rows
from vitok.store.lake import table_files, table_folders
from vitok.store.locks import hold
from vitok.store.schema import HEAD

FOLDER, SUFFIX = "backups", ".vitok.tar.gz"
STATE_FILE, ROWS_FILE = "state.sqlite", "state.jsonl"
WHOLE, STATE = "whole", "state"
HOME = ".vitok"  # the folder of what Vitok writes, in every archive
_BEFORE = "before-release-"
_SMALL = ("plan.json", "rollback.json", "keys.json")
_WAIT_SECONDS = 30.0


def back_up(project: Project, file: Path | None = None, *, logs: bool = False) -> dict[str, Any]:
    """Writes one archive of all that a project needs to go on elsewhere; safe while it is served.

    What the workflow engine knows is taken first, then the state, then what both refer to: what is referred to is
    in the archive, perhaps with more of it than is needed. The journal and the lake are taken while nothing moves
    between them.

    Args:
        file: Where it is written; None for a new one in the project's `.vitok/backups`.
        logs: Whether logs of turns go with it.

    Returns:
        The object that `vitok backup --json` prints.

    Raises:
        UserMistake: it cannot be written.
        Fault: a database is damaged.
        Busy: something is moving the journal all the time.
    """
    now = project.clock()
    path = file or project.state / FOLDER / f"{_stamp(project)}{SUFFIX}"
    with (
        tempfile.TemporaryDirectory(dir=project.state, prefix=".copying-") as copies,
        pack(path, _about(project, WHOLE)) as packer,
    ):
        copied = Path(copies)
        _put_copy(packer, project.state / "workflows.sqlite", copied)
        _put_state(project, packer, copied)
        _put_copy(packer, project.state / "mlflow.sqlite", copied)
        for name in ("turns", *([LOGS] if logs else [])):
            _put_folder(packer, project.state / name, f"{HOME}/{name}")
        tables = _put_journal(project, packer, copied)
        for place, version in tables.items():
            for each in table_files(place, version):
                _put_file(packer, f"{HOME}/lake/{place.name}/{each.relative_to(place)}", each)
        _put_folder(packer, project.blobs.folder, f"{HOME}/blobs")
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "members": len(packer.files),
        "digest": _digest(path),
        "created": format_time(now),
        "schema": HEAD,
        "lake": "inside" if _is_folder(project) else f"not inside: {project.lake.place}",
        "sources": sorted(project.charter.data.sources.values()),
    }


def back_up_before_release(project: Project, version: int) -> None:
    """Puts the state aside before a release: database, plan, keys and charter; bundles never change.

    A project without a workflow engine is a replay, which has nothing to lose.

    Raises:
        UserMistake: it cannot be written; the release must not go on.
    """
    keep = project.charter.backup.keep
    if project.workflows is None or keep == 0:
        return
    folder = project.state / FOLDER
    path = folder / f"{_BEFORE}{_stamp(project)}-v{version}{SUFFIX}"
    try:
        with (
            tempfile.TemporaryDirectory(dir=project.state, prefix=".copying-") as copies,
            pack(path, _about(project, STATE)) as packer,
        ):
            _put_state(project, packer, Path(copies))
    except (UserMistake, OSError) as error:
        what = f"its backup cannot be written: {error}".removesuffix(".")
        remedy = "Free disk space, or set backup: {keep: 0} in the charter to release without one."
        raise UserMistake(f"release of version {version}", what, remedy) from error
    for old in sorted(folder.glob(f"{_BEFORE}*{SUFFIX}"))[:-keep]:
        old.unlink(missing_ok=True)


def archives(project: Project) -> list[Path]:
    """The archives in the project's own folder, newest first."""
    found = (project.state / FOLDER).glob(f"*{SUFFIX}")
    return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _about(project: Project, kind: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "project": project.charter.project,
        "vitok": vitok.__version__,
        "schema": HEAD,
        "created": format_time(project.clock()),
    }


def _put_state(project: Project, packer: Packer, copies: Path) -> None:
    """The plan before the database: it may be older than what the database says, and is written anew on restoring."""
    for name in charter_files(project):
        path = project.folder / name
        if Path(name).is_absolute() or not path.resolve().is_relative_to(project.folder):
            raise UserMistake(str(path), "lies outside of the project's folder", "Bring it into the folder.")
        _put_file(packer, name, path)
    for name in _SMALL:
        _put_file(packer, f"{HOME}/{name}", project.state / name)
    if project.engine.dialect.name == "sqlite":
        _put_copy(packer, Path(str(project.engine.url.database)), copies, STATE_FILE)
        return
    rows = copies / ROWS_FILE
    with project.engine.connect() as connection, rows.open("wb") as target:
        target.writelines(dump_rows(connection.execution_options(isolation_level="REPEATABLE READ")))
    packer.add_file(f"{HOME}/{ROWS_FILE}", rows)


def _put_journal(project: Project, packer: Packer, copies: Path) -> dict[Path, int]:
    """Spools and index as they are while nobody moves; gives the versions that the lake's tables have then."""
    folder = project.state / JOURNAL
    with hold(folder / "mover.lock", "vitok backup", wait_seconds=_WAIT_SECONDS):
        copy_spools(folder, copies / JOURNAL)
        if index_path(folder).exists():
            copy_sqlite(index_path(folder), copies / JOURNAL / index_path(folder).name)
        tables = table_folders(Path(project.lake.place)) if _is_folder(project) else {}
    _put_folder(packer, copies / JOURNAL, f"{HOME}/{JOURNAL}")
    return tables


def _is_folder(project: Project) -> bool:
    return "://" not in project.lake.place


def _put_copy(packer: Packer, path: Path, copies: Path, name: str | None = None) -> None:
    if path.exists():
        target = copies / (name or path.name)
        copy_sqlite(path, target)
        packer.add_file(f"{HOME}/{target.name}", target)
        target.unlink()


def _put_folder(packer: Packer, folder: Path, name: str) -> None:
    for path in _files(folder):
        _put_file(packer, f"{name}/{path.relative_to(folder)}", path)


def _put_file(packer: Packer, name: str, path: Path) -> None:
    with suppress(FileNotFoundError):  # it ended meanwhile, as a turn does
        packer.add_file(name, path)


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (
            path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")
        )


def _stamp(project: Project) -> str:
    return project.clock().strftime("%Y%m%dT%H%M%S.%fZ")


def _digest(path: Path) -> str:
    return digest_bytes(path.read_bytes())
