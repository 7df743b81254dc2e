"""The stores of a replay: they begin with the version in production, and may be kept as a project to look at."""

import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec

from vitok.errors import UserMistake
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import Clock
from vitok.loop.history import take_along
from vitok.loop.project import Project
from vitok.loop.release import publish_plan
from vitok.loop.review import CHARTER
from vitok.model.bundle import load_manifest
from vitok.registry import charters, releases, requests, turns, versions
from vitok.release.plan import Arm
from vitok.store.blobs import Blobs
from vitok.store.db import open_database
from vitok.store.lake import Lake

FITS = "fits"  # what turns of replays have fitted, for the next replay


def stores_of(source: Project, folder: Path, clock: Clock, start: datetime) -> Project:
    """A project like another one, with stores of its own that know one turn, one version and one release.

    Args:
        folder: Where the stores are made.
        start: The moment at which that version was released, as far as the stores know.
    """
    with source.engine.connect() as connection:
        release = releases.current(connection)
        assert release is not None
        version = versions.get(connection, release.version)
    blobs = Blobs(folder / "blobs")
    manifest = load_manifest(source.blobs, version.digest)
    for digest in (version.digest, *manifest.files.values()):
        blobs.put(source.blobs.get(digest))
    project = replace(
        source,
        state=folder,
        engine=open_database(f"sqlite:///{folder / 'state.sqlite'}"),
        lake=Lake(folder / "lake"),
        blobs=blobs,
        clock=clock,
        tracker=None,
        say=lambda line: None,
        workflows=None,
        machine=None,
        fits=source.state / FITS,
    )
    _begin(source, project, version, release, start)
    return project


def _begin(
    source: Project, project: Project, version: versions.Version, release: releases.Release, start: datetime
) -> None:
    """The history so far: the turn that made the version, and its release."""
    with source.engine.connect() as connection:
        made = next((turn for turn in turns.all_turns(connection) if turn.id == version.turn), None)
        agreed = [
            (each, requests.approvals_of(connection, each.number))
            for each in requests.all_requests(connection)
            if each.version == version.number and each.state == "released"
        ]
    with project.engine.begin() as connection:
        charters.keep(connection, start, "replay", project.document.digest, project.charter.as_json())
        versions.copy(connection, version)
        turns.begin(
            connection,
            version.turn,
            now=start,
            as_of=start,
            trigger="before the replay",
            charter=project.document.digest,
            actor="" if made is None else made.actor,
        )
        known = {} if made is None else {"seconds": made.seconds, "data": made.data, "message": made.message}
        ended = {"state": "accepted", "stage": "end", "ended": start, "version": version.number}
        turns.advance(connection, version.turn, **ended, **known)
        for request, given in agreed:
            requests.copy(connection, request, given)
        # A roll-out that is under way stays behind: replay begins with the champion alone.
        alone = (Arm(version.number, version.digest, "champion", 1.0),)
        releases.activate(
            connection,
            msgspec.structs.replace(release.plan, arms=alone, fallback=None),
            release_id=release.id,
            now=start,
            actor="replay",
            before="superseded",
            evidence={},
        )


def begin_kept(source: Project, folder: Path) -> None:
    """Makes the folder of a project in which a replay is to be kept: charter, code, expectations, sources.

    Raises:
        UserMistake: the folder is there already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UserMistake(str(folder), "is not empty", "Give a new folder with --keep.")
    charter = source.charter
    code = [] if charter.features is None else [charter.features.partition(":")[0]]
    tests = [path.name for path in source.folder.glob("test_*.py")]
    for name in (CHARTER, charter.data.expect, *code, *tests, *charter.data.sources.values()):
        path = source.folder / name
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            shutil.copy2(path, target)


def finish_kept(source: Project, project: Project, journal: MemoryLedger) -> None:
    """Writes the journal of a replay into the project's lake, and puts the plan in its place.

    Whoever looks at drift first counts the journal: profiles by the hour of a year take minutes.

    Args:
        source: The project that was replayed; what was found out about it is taken along.
    """
    take_along(source, project)
    for table, rows in journal.tables().items():
        if rows.height:
            project.lake.append(table, rows)
    publish_plan(project)
