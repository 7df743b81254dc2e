"""Taking outcomes from a file: the same rules as over HTTP."""

import hashlib
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from vitok.data.snapshot import time_column
from vitok.data.sources import read_table
from vitok.errors import DataMistake, NotFound, RequestMistake, UserMistake
from vitok.govern import audit
from vitok.govern.secrets import keyed_digest, signing_key
from vitok.journal.index import Lookup
from vitok.journal.mover import move
from vitok.journal.outcomes import Classified, classify
from vitok.journal.records import Outcome
from vitok.journal.spool import Spool
from vitok.kernel.ids import new_id
from vitok.loop.project import Project
from vitok.model.bundle import load_manifest
from vitok.model.schema import outcome_value
from vitok.registry import releases

JOURNAL = "journal"
_SHOWN = 20
_FOLLOWED = "followed"


def take_outcomes(
    project: Project, file: Path, *, replace: bool = False, actor: str = "user"
) -> dict[str, Any]:
    """Reads outcomes from a table and joins them to predictions by id.

    Args:
        file: With the charter's id column (or `id`) and its target column (or `value`); the charter's label time
            (or `time`) if there is one; and `followed`, whether people acted as the decision advised.
        replace: Whether they override what was reported before.
        actor: Who brings them.

    Returns:
        The object that `vitok outcomes --json` prints.

    Raises:
        DataMistake: a column is missing, or a value is none of the target's.
        NotFound: nothing is in production, so there is nothing to join to.
    """
    with project.engine.connect() as connection:
        release = releases.current(connection)
    if release is None:
        raise NotFound(
            "outcomes", "nothing has been released, so nothing was predicted", "Release a version first."
        )
    now = project.clock()
    manifest = load_manifest(project.blobs, release.plan.champion.digest)
    incoming = _read(project, read_table(file), file, now, replace, manifest)
    folder = project.state / JOURNAL
    move(folder, project.lake, now)
    lookup, spool = Lookup(folder), Spool(folder, f"outcomes-{new_id(now)}")
    try:
        predicted, known = lookup.find([outcome.id for outcome in incoming])
        found = classify(incoming, predicted, known)
        if found.to_store:
            spool.append(found.to_store)
    finally:
        lookup.close()
        spool.close()
    move(folder, project.lake, project.clock())
    report = _report(found)
    _record(project, file, report, replace=replace, actor=actor)
    return report


def _record(project: Project, file: Path, report: dict[str, Any], *, replace: bool, actor: str) -> None:
    counts = {name: report[name] for name in ("matched", "unmatched", "duplicates", "conflicts")}
    details: dict[str, Any] = {**counts, "replace": replace}
    with suppress(
        UserMistake
    ):  # without a secret: what a small file holds could be guessed from a plain digest
        key = signing_key()
        with file.open("rb") as content:
            details["file"] = keyed_digest(hashlib.file_digest(content, "sha256").hexdigest(), key)
    with project.engine.begin() as connection:
        audit.record(connection, project.clock(), actor, "take outcomes", "outcomes", details)


def _read(
    project: Project, frame: pl.DataFrame, file: Path, now: datetime, replace: bool, manifest: Any
) -> list[Outcome]:
    task = project.charter.task
    key = _column(frame, file, task.id, "id")
    value = _column(frame, file, task.target, "value")
    time = next((name for name in (task.label_time, "time") if name in frame.columns), None)
    frame = frame.filter(pl.col(value).is_not_null())
    if (gaps := frame[key].is_null().arg_true()).len():
        what = f"{gaps.len()} row(s) without it, first rows {gaps.head(3).to_list()}"
        raise DataMistake(f"{file.name} column {key}", what, "Give each row its id.")
    times = [now] * frame.height if time is None else time_column(frame[time]).to_list()
    followed = _followed(frame, file)
    outcomes = []
    for row, (identity, found, at, acted) in enumerate(
        zip(frame[key].to_list(), frame[value].to_list(), times, followed, strict=True)
    ):
        try:
            checked = outcome_value(manifest, f"{file.name} row {row}, column {value}", found)
        except RequestMistake as error:
            raise DataMistake(error.place, error.what, error.remedy) from error
        outcomes.append(Outcome(str(identity), checked, at or now, now, replace, acted))
    return outcomes


def _followed(frame: pl.DataFrame, file: Path) -> list[bool | None]:
    """Whether people acted as advised, where the table says so."""
    if _FOLLOWED not in frame.columns:
        return [None] * frame.height
    column = frame[_FOLLOWED]
    if column.dtype not in (pl.Boolean, pl.Null):
        what = f"is {column.dtype}, not true or false"
        raise DataMistake(f"{file.name} column {_FOLLOWED}", what, "Write true, false, or nothing.")
    return column.to_list()


def _column(frame: pl.DataFrame, file: Path, *names: str | None) -> str:
    for name in names:
        if name in frame.columns:
            return str(name)
    wanted = " or ".join(repr(name) for name in names if name)
    raise DataMistake(str(file), f"has no column {wanted}", f"Columns: {', '.join(frame.columns[:20])}.")


def _report(found: Classified) -> dict[str, Any]:
    unmatched, conflicts = [o.id for o in found.unmatched], [o.id for o in found.conflicts]
    return {
        "matched": len(found.matched),
        "unmatched": len(unmatched),
        "duplicates": len(found.duplicates),
        "conflicts": len(conflicts),
        "unmatched_ids": unmatched[:_SHOWN],
        "conflict_ids": conflicts[:_SHOWN],
    }
