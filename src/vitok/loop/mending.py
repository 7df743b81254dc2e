"""What the doctor finds lost or left over, and how it is put right without losing anything.

Each mending function does nothing where nothing is wrong, and gives a sentence for each thing that it did.
"""

import re
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from vitok.errors import Fault, NotFound, VitokError
from vitok.journal.segments import spools
from vitok.kernel.digests import digest_bytes
from vitok.loop.backup import HOME, archives
from vitok.loop.keep import collect
from vitok.loop.outcomes import JOURNAL
from vitok.loop.pins import charter_files, turn_folder
from vitok.loop.project import Project
from vitok.loop.release import PLAN_FILE, publish_plan
from vitok.loop.replay_stores import FITS
from vitok.loop.rollback import record_pending
from vitok.model.bundle import load_manifest
from vitok.registry import releases, turns, versions
from vitok.store.archive import read_members
from vitok.store.blobs import write_atomically
from vitok.store.copies import dump_rows, workflow_words
from vitok.store.lake import table_folders
from vitok.store.locks import is_held

_DIGEST = re.compile(rb"[0-9a-f]{64}")
_DAY = timedelta(days=1)  # what is younger may be of somebody who is at work
_UNFINISHED = (".writing-*", ".copying-*", ".restoring-*")


def bring_back_files(project: Project, given: Sequence[Path]) -> list[str]:
    """Writes expectations and code that are gone as the last turn had pinned them, or as an archive has them."""
    lost = [name for name in charter_files(project) if not (project.folder / name).is_file()]
    with project.engine.connect() as connection:
        pinned = [turn.pins.get("files", {}) for turn in reversed(turns.all_turns(connection))]
    done = []
    for name in lost:
        for files in pinned:
            with suppress(VitokError, KeyError):
                write_atomically(project.folder / name, project.blobs.get(files[name]))
                done.append(f"{name} was gone: it is as the last turn had it")
                break
    rest = [name for name in lost if not (project.folder / name).is_file()]
    for name, content in _from_archives(project, given, rest).items():
        write_atomically(project.folder / name, content)
        done.append(f"{name} was gone: it is as an archive had it")
    return done


def bring_back_tables(project: Project, given: Sequence[Path]) -> list[str]:
    """Takes files of tables that are gone or damaged from archives: data files never change."""
    if "://" in project.lake.place:
        return []
    place, lost = Path(project.lake.place), dict[str, Path]()
    for folder in table_folders(place):
        for name in project.lake.missing_files(folder.name):
            path = folder / Path(name).name
            lost[f"{HOME}/lake/{folder.name}/{path.name}"] = path
    done = []
    for name, content in _from_archives(project, given, lost).items():
        write_atomically(lost[name], content)
        done.append(f"{name} was lost: it is as an archive had it")
    return done


def move_journal(project: Project, given: Sequence[Path]) -> list[str]:
    """Moves what waits in spools into the lake, and removes what workers that are gone left."""
    left = left_of_spools(project)
    for path in left:
        path.unlink(missing_ok=True)
    moved = collect(project)
    done = [f"{path.name} was left by a worker that is gone: it is removed" for path in left]
    if moved.predictions or moved.outcomes:
        done.append(
            f"{moved.predictions} prediction(s) and {moved.outcomes} outcome(s) were moved into the lake"
        )
    return done + [f"spool of worker {worker} was done: it is removed" for worker in moved.removed]


def left_of_spools(project: Project) -> list[Path]:
    """Marks and locks of workers that have no spool and are gone."""
    folder = project.state / JOURNAL
    known = set(spools(folder))
    found = [*folder.glob("spool-*.moved"), *folder.glob("spool-*.lock")]
    return sorted(
        path
        for path in found
        if path.stem.removeprefix("spool-") not in known and not is_held(path.with_suffix(".lock"))
    )


def mend_blobs(project: Project, given: Sequence[Path]) -> list[str]:
    """Takes blobs that are gone or damaged from archives, and removes those that nothing names for a day."""
    done, lost = [], lost_blobs(project)
    while lost:
        wanted = {f"{HOME}/blobs/{digest[:2]}/{digest}": digest for digest in lost}
        found = _from_archives(project, given, wanted)
        for name, content in found.items():
            with suppress(Fault):
                project.blobs.put_back(wanted[name], content)
                done.append(f"blob {wanted[name][:12]} was lost: it is as an archive had it")
        before, lost = lost, lost_blobs(project)  # a manifest that came back may name files that are gone
        if set(before) == set(lost):
            break
    size, removed = 0, orphans(project) if not lost else []
    for path in removed:
        size += path.stat().st_size
        path.unlink(missing_ok=True)
    return done + (
        [f"{len(removed)} blob(s) that nothing names are removed: {size / 1e6:.1f} MB"] if removed else []
    )


def lost_blobs(project: Project) -> list[str]:
    """Digests of blobs that a version needs and that are gone, and of all whose bytes are others."""
    bad = {digest for digest, path in project.blobs.all() if digest_bytes(path.read_bytes()) != digest}
    for digest in _of_versions(project):
        if not project.blobs.has(digest):
            bad.add(digest)
    return sorted(bad)


def orphans(project: Project) -> list[Path]:
    """Blobs that nothing in the databases names, nor a bundle that they name, older than a day."""
    named = _named(project) | _of_versions(project)
    before = (project.clock() - _DAY).timestamp()
    return [
        path for digest, path in project.blobs.all() if digest not in named and path.stat().st_mtime < before
    ]


def publish(project: Project, given: Sequence[Path]) -> list[str]:
    """Writes the plan file again, and records a rollback that was made while the database was away."""
    path = project.state / PLAN_FILE
    before = path.read_bytes() if path.exists() else None
    record_pending(project)
    publish_plan(project)
    after = path.read_bytes() if path.exists() else None
    return (
        []
        if before == after
        else [f"{PLAN_FILE} was {'gone' if before is None else 'another one'}: it is published again"]
    )


def left_of_turns(project: Project) -> list[Path]:
    """Folders of turns that have ended, or that nobody knows."""
    with project.engine.connect() as connection:
        going = {turn.id for turn in turns.all_turns(connection) if turn.can_go_on}
    folder = turn_folder(project, "")
    return sorted(path for path in folder.glob("*") if path.name not in going) if folder.is_dir() else []


def remove_left_turns(project: Project, given: Sequence[Path]) -> list[str]:
    """Removes what turns have left that have ended."""
    done = []
    for path in left_of_turns(project):
        shutil.rmtree(path, ignore_errors=True)
        done.append(f"the folder of turn {path.name}, which has ended, is removed")
    return done


def unfinished(project: Project) -> list[Path]:
    """Files and folders that somebody who died was writing, older than a day."""
    before = (project.clock() - _DAY).timestamp()
    found = [path for pattern in _UNFINISHED for path in project.state.rglob(pattern)]
    return sorted(path for path in found if path.stat().st_mtime < before)


def cached_bytes(project: Project) -> int:
    """How much room fitted models take that replays have kept."""
    return sum(path.stat().st_size for path in (project.state / FITS).rglob("*") if path.is_file())


def remove_rest(project: Project, given: Sequence[Path]) -> list[str]:
    """Clears the cache of replays and what was left unfinished."""
    done, cache = [], cached_bytes(project)
    if cache:
        shutil.rmtree(project.state / FITS, ignore_errors=True)
        done.append(f"the cache of replays is cleared: {cache / 1e6:.1f} MB")
    for path in unfinished(project):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        done.append(f"{path.name}, which nobody finished, is removed")
    return done


def _of_versions(project: Project) -> set[str]:
    """Digests of all bundles and their files."""
    with project.engine.connect() as connection:
        bundles = {version.digest for version in versions.all_versions(connection)}
        bundles |= {arm.digest for release in releases.all_releases(connection) for arm in release.plan.arms}
    found = set(bundles)
    for digest in bundles:
        with suppress(Fault, NotFound):
            found |= set(load_manifest(project.blobs, digest).files.values())
    return found


def _named(project: Project) -> set[str]:
    """Every digest that stands anywhere in the state, or in what the workflow engine remembers."""
    with project.engine.connect() as connection:
        found = {match for line in dump_rows(connection) for match in _DIGEST.findall(line)}
    for path in project.state.glob("workflows.sqlite*"):
        found |= set(_DIGEST.findall(path.read_bytes()))
    if project.engine.dialect.name == "postgresql":
        found |= {
            match for words in workflow_words(project.engine) for match in _DIGEST.findall(words.encode())
        }
    return {match.decode() for match in found}


def _from_archives(project: Project, given: Sequence[Path], names: Iterable[str]) -> dict[str, bytes]:
    """Members of the first archive that has them: those that were named, then the project's own, newest first."""
    wanted, found = set(names), dict[str, bytes]()
    for path in [*given, *archives(project)]:
        if not wanted:
            break
        members = read_members(path, wanted)
        found |= members
        wanted -= members.keys()
    return found
