"""The mover: takes what workers have spooled into the lake, each record exactly once.

The order of the steps is the promise. Records are appended to the lake together with the last sequence number
of each worker, in one commit; then the index learns their ids; only then are they dropped from the spools.
Dying between any two steps leaves records in the spool that the lake has already: the next move sees that
from the sequence number and does only what is missing.
"""

import math
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from vitok.errors import Fault, VitokError
from vitok.journal.commits import Entry
from vitok.journal.frames import outcome_frame, prediction_frame
from vitok.journal.index import Index
from vitok.journal.records import Kind, decode_outcome
from vitok.journal.segments import spools
from vitok.journal.spool import drop_through, read_after, remove_if_dead
from vitok.journal.tables import TABLE, revision
from vitok.kernel.clock import stopwatch
from vitok.store.lake import Lake
from vitok.store.locks import take

_BATCH = 50_000
_TABLES: dict[Kind, tuple[str, Callable[[list[tuple[str, Entry]]], pl.DataFrame]]] = {
    "prediction": (TABLE, prediction_frame),
    "outcome": ("outcomes", outcome_frame),
}


class Moved(NamedTuple):
    """What one move did.

    Args:
        predictions: Rows added to the table `predictions`.
        outcomes: Rows added to the table `outcomes`.
        removed: Workers that are gone and whose empty spools were removed.
        problems: Spools that could not be read, with the reason; they stay as they are.
        lag_seconds: Age of the oldest record that was moved.
        is_busy: Whether another mover was at work, so that nothing was done.
    """

    predictions: int = 0
    outcomes: int = 0
    removed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    lag_seconds: float = 0.0
    is_busy: bool = False


Told = Callable[[pl.DataFrame, str, str], None]


def move(
    folder: Path, lake: Lake, now: datetime, within_seconds: float = math.inf, tell: Told | None = None
) -> Moved:
    """Moves all records of all spools of a journal into the lake.

    Args:
        folder: The journal's folder.
        now: The present, for the age of what is moved.
        within_seconds: When it stops although more has arrived meanwhile; under load a move might else never end.
        tell: Is given the predictions of each commit while they are at hand, and the table's versions before and
            after it. What it misses it must find in the lake: a move does not stop for it.

    Raises:
        UserMistake: the lake's disk is full; nothing was dropped from the spools.
    """
    handle = become_mover(folder)
    if handle is None:
        return Moved(is_busy=True)
    try:
        return _Move(folder, lake, now, tell).run(within_seconds)
    finally:
        os.close(handle)


def become_mover(folder: Path) -> int | None:
    """Takes the lock of the one who moves and writes the index; None while another has it.

    Returns:
        A handle: closing it gives the lock back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return take(folder / "mover.lock")


class _Move:
    """One move, by the one mover that holds the lock."""

    def __init__(self, folder: Path, lake: Lake, now: datetime, tell: Told | None) -> None:
        self.folder, self.lake, self.now, self.tell = folder, lake, now, tell
        self.added: dict[Kind, int] = {"prediction": 0, "outcome": 0}
        self.problems: dict[str, str] = {}
        self.oldest = now

    def run(self, within_seconds: float) -> Moved:
        index, began = Index(self.folder), stopwatch()
        try:
            while batches := self._read_spools():
                for kind in _TABLES:
                    self._append(kind, batches)
                self._remember(index, batches)
                self._drop(batches)
                if stopwatch() - began >= within_seconds:
                    break
        finally:
            index.close()
        removed = tuple(worker for worker in spools(self.folder) if self._removes(worker))
        lag = max(0.0, (self.now - self.oldest).total_seconds())
        problems = tuple(self.problems.values())
        return Moved(self.added["prediction"], self.added["outcome"], removed, problems, lag)

    def _read_spools(self) -> dict[str, list[Entry]]:
        batches = {}
        for worker in spools(self.folder):
            if worker in self.problems:
                continue
            try:
                batches[worker] = read_after(self.folder, worker, 0, _BATCH)
            except (OSError, Fault) as error:
                self._note(worker, error)
        return {worker: entries for worker, entries in batches.items() if entries}

    def _append(self, kind: Kind, batches: dict[str, list[Entry]]) -> None:
        table, as_frame = _TABLES[kind]
        fresh: list[tuple[str, Entry]] = []
        last: dict[str, int] = {}
        for worker, entries in batches.items():
            done = self.lake.last_sequence(table, worker) or 0
            new = [entry for entry in entries if entry.kind == kind and entry.seq > done]
            if new:
                fresh += [(worker, entry) for entry in new]
                last[worker] = new[-1].seq
        if fresh:
            frame = as_frame(fresh)
            before = revision(self.lake)
            self.lake.append_all(table, frame, last)
            self.added[kind] += frame.height
            if self.tell is not None and kind == "prediction":
                self._tell(frame, before)
            self.oldest = min(self.oldest, frame["received"].min())  # type: ignore[type-var, assignment]

    def _tell(self, frame: pl.DataFrame, before: str) -> None:
        assert self.tell is not None
        try:
            self.tell(frame, before, revision(self.lake))
        except VitokError as error:
            self.problems["profiles"] = str(error)

    def _remember(self, index: Index, batches: dict[str, list[Entry]]) -> None:
        entries = [entry for batch in batches.values() for entry in batch]
        index.add(
            (entry.id for entry in entries if entry.kind == "prediction"),
            (decode_outcome(entry.body) for entry in entries if entry.kind == "outcome"),
        )

    def _drop(self, batches: dict[str, list[Entry]]) -> None:
        for worker, entries in batches.items():
            try:
                drop_through(self.folder, worker, entries[-1].seq)
            except OSError as error:  # the next move does it
                self._note(worker, error)

    def _removes(self, worker: str) -> bool:
        try:
            return worker not in self.problems and remove_if_dead(self.folder, worker)
        except (OSError, VitokError) as error:
            self._note(worker, error)
            return False

    def _note(self, worker: str, error: Exception) -> None:
        self.problems[worker] = f"spool of worker {worker}: cannot be read: {error}. Check the disk."
