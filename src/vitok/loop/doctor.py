"""Whether the parts of a project are sound: each is tried, and mended where that loses nothing."""

import importlib.metadata
import platform
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

import vitok
from vitok.errors import Fault, NotFound, VitokError
from vitok.govern import audit
from vitok.journal.ledger import Ledger
from vitok.journal.segments import spools, verify
from vitok.kernel.clock import format_time
from vitok.loop import mending
from vitok.loop.auditing import require_whole_log
from vitok.loop.backup import archives
from vitok.loop.outcomes import JOURNAL
from vitok.loop.pins import charter_files
from vitok.loop.project import Project
from vitok.loop.release import PLAN_FILE
from vitok.loop.rollback import PENDING_FILE
from vitok.loop.turn import LOCK
from vitok.model.bundle import Manifest, load_manifest
from vitok.model.environment import changed_libraries
from vitok.registry import releases, turns, versions
from vitok.release.plan import Plan
from vitok.store.lake import table_folders
from vitok.store.locks import is_held

_LITTLE_DISK = 500_000_000
_FROM_ARCHIVE = "Run `vitok doctor --mend`, with --from FILE for an archive elsewhere."


@dataclass(frozen=True)
class _Part:
    """A part of a project.

    Args:
        check: Says in a few words how it is; raises if it is not sound.
        mend: Does what can be done without losing anything, and says what it did; None if nothing can.
    """

    name: str
    check: Callable[[Project], str]
    mend: Callable[[Project, Sequence[Path]], list[str]] | None = None


def examine(
    project: Project, *, mend: bool = False, given: Sequence[Path] = (), actor: str = "user"
) -> dict[str, Any]:
    """Tries each part of a project; the object that `vitok doctor --json` prints.

    Args:
        mend: Whether to put right what can be put right before looking.
        given: Archives to take lost files from, before the project's own.
    """
    results = []
    for part in _PARTS:
        found: dict[str, Any] = {"check": part.name, "ok": True, "remedy": None, "mended": []}
        try:
            if mend and part.mend is not None:
                found["mended"] = part.mend(project, given)
            found["detail"] = part.check(project)
        except VitokError as error:
            found |= {"ok": False, "detail": f"{error.place}: {error.what}", "remedy": error.remedy}
        except Exception as error:  # whatever is broken, the other parts must still be told
            detail = f"{type(error).__name__}: {error}"
            found |= {"ok": False, "detail": detail, "remedy": "Restore it from a backup."}
        results.append(found)
    done = [sentence for result in results for sentence in result["mended"]]
    if done:
        with project.engine.begin() as connection:
            audit.record(connection, project.clock(), actor, "mend", "project", {"done": done})
    return {"ok": all(result["ok"] for result in results), "checks": results, "mended": done}


def _python(project: Project) -> str:
    return f"{platform.python_version()}, vitok {importlib.metadata.version('vitok')}"


def _charter(project: Project) -> str:
    for name in charter_files(project):
        if not (project.folder / name).is_file():
            what = "is named by the charter, and is not there"
            remedy = "`vitok doctor --mend` takes it from the last turn; or write it."
            raise NotFound(str(project.folder / name), what, remedy)
    return f"{project.document.name}, digest {project.document.digest[:12]}"


def _database(project: Project) -> str:
    with project.engine.connect() as connection:
        if project.engine.dialect.name == "sqlite":
            said = connection.execute(text("PRAGMA quick_check(1)")).scalar()
            if said != "ok":
                remedy = "Restore the newest archive of .vitok/backups with `vitok restore`."
                raise Fault("state database", f"is damaged: {said}", remedy)
        connection.execute(text("SELECT 1"))
    return f"{project.engine.url.render_as_string(hide_password=True)} answers"


def _lake(project: Project) -> str:
    if "://" not in project.lake.place:
        for folder in table_folders(Path(project.lake.place)):
            lost = project.lake.missing_files(folder.name)
            if lost:
                what = f"{len(lost)} of its files are gone or cannot be read, such as {Path(lost[0]).name}"
                raise Fault(f"table {folder.name}", what, _FROM_ARCHIVE)
    return f"{len(project.lake.versions('snapshots'))} data version(s)"


def _journal(project: Project) -> str:
    span = Ledger(project.lake).span()
    waiting = len(spools(project.state / JOURNAL))
    verify(project.state / JOURNAL)
    left = mending.left_of_spools(project)
    also = f", {len(left)} file(s) of workers that are gone: --mend removes them" if left else ""
    return f"{'empty' if span is None else f'up to {format_time(span[1])}'}, {waiting} spool(s){also}"


def _bundles(project: Project) -> str:
    with project.engine.connect() as connection:
        known = versions.all_versions(connection)
    bad = mending.lost_blobs(project)
    if bad:
        what = (
            f"{len(bad)} file(s) of bundles are gone, or their bytes differ from their digest: {bad[0][:12]}"
        )
        raise Fault(str(project.blobs.folder), what, _FROM_ARCHIVE)
    for version in known:
        manifest = load_manifest(project.blobs, version.digest)
        if _is_newer(manifest):
            what = f"was made by Vitok {manifest.code['vitok']}, this is {vitok.__version__}"
            raise Fault(f"version {version.number}", what, "Update Vitok.")
    orphans = mending.orphans(project)
    size = sum(path.stat().st_size for path in orphans) / 1e6
    also = (
        f"; {len(orphans)} file(s) that nothing names ({size:.1f} MB): --mend removes those"
        if orphans
        else ""
    )
    return f"{len(known)} version(s), every byte as it was judged{also}"


def _champion(project: Project) -> str:
    with project.engine.connect() as connection:
        release = releases.current(connection)
    if release is None:
        return "none released yet"
    manifest = load_manifest(project.blobs, release.plan.champion.digest)
    for digest in manifest.files.values():
        project.blobs.get(digest)
    other = [
        f"{name} {then} then, {now or 'gone'} now"
        for name, (then, now) in changed_libraries(manifest.environment).items()
    ]
    return f"version {release.version}, every byte as it was judged" + (
        f"; {', '.join(other)}" if other else ""
    )


def _is_newer(manifest: Manifest) -> bool:
    made = manifest.code.get("vitok", "0")
    return _numbers(made) > _numbers(vitok.__version__)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _plan(project: Project) -> str:
    with project.engine.connect() as connection:
        release = releases.current(connection)
    path = project.state / PLAN_FILE
    if (project.state / PENDING_FILE).exists():
        what = "was changed by a rollback while the database was away, which is not recorded yet"
        raise Fault(str(path), what, "Run `vitok watch --once`, or `vitok doctor --mend`.")
    if release is None:
        if path.exists():
            what = "is followed by the workers, and the database knows of no release"
            raise Fault(str(path), what, "Restore the newest archive of .vitok/backups with `vitok restore`.")
        return "none yet"
    if not path.exists() or Plan.from_json(path.read_bytes()) != release.plan:
        remedy = f"Run `vitok doctor --mend`, or `vitok release {release.version}` to publish it again."
        raise Fault(str(path), "is not the plan in force", remedy)
    return f"epoch {release.epoch}, published"


def _turns(project: Project) -> str:
    with project.engine.connect() as connection:
        known = turns.all_turns(connection)
    if not is_held(project.state / LOCK):
        cut = [turn for turn in known if turn.state == "running"]
        if cut:
            what = f"was cut off in stage {cut[0].stage}"
            raise Fault(
                f"turn {cut[0].number}", what, f"`vitok turns resume {cut[0].number}` goes on with it."
            )
    left = mending.left_of_turns(project)
    also = f"; {len(left)} folder(s) of turns that have ended: --mend removes them" if left else ""
    return f"{len(known)}{also}"


def _rest(project: Project) -> str:
    left, cache = mending.unfinished(project), mending.cached_bytes(project)
    also = f", {len(left)} unfinished file(s)" if left else ""
    return f"fits of replays {cache / 1e6:.1f} MB{also}" + ("; --mend clears them" if cache or left else "")


def _backups(project: Project) -> str:
    found = archives(project)
    return (
        f"{len(found)} in .vitok/backups, the newest {found[0].name}" if found else "none in .vitok/backups"
    )


def _disk(project: Project) -> str:
    free = shutil.disk_usage(project.folder).free
    if free < _LITTLE_DISK:
        what = f"only {free / 1e6:.0f} MB are free"
        raise Fault("disk", what, "Free some before the journal has to refuse.")
    return f"{free / 1e9:.1f} GB free"


_PARTS = (
    _Part("python", _python),
    _Part("charter", _charter, mending.bring_back_files),
    _Part("state database", _database),
    _Part("audit log", require_whole_log),
    _Part("lake", _lake, mending.bring_back_tables),
    _Part("journal", _journal, mending.move_journal),
    _Part("bundles", _bundles, mending.mend_blobs),
    _Part("champion", _champion),
    _Part("release plan", _plan, mending.publish),
    _Part("turns", _turns, mending.remove_left_turns),
    _Part("left over", _rest, mending.remove_rest),
    _Part("backups", _backups),
    _Part("disk", _disk),
)
