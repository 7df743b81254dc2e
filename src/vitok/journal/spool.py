"""The spool: one SQLite file for each worker, written before anything is answered.

A worker holds a lock on `spool-<worker>.lock` as long as it lives, so that the mover can tell an empty spool
that is between two requests from one whose worker is gone.
"""

import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from vitok.errors import Busy, Fault
from vitok.journal.locks import take
from vitok.journal.records import Kind, Record, kind_of
from vitok.journal.sqlite import connect

_TABLE = """
CREATE TABLE IF NOT EXISTS records(
    seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS records_by_id ON records(id);
"""
_DROP_AT_ONCE = 2000
# Copying the log into the file waits for the disk (8 ms and more), so `checkpoint` does it beside the
# commits. Should nobody call it, or the commits never pause, SQLite does it itself when the log has 80 MB.
_LOG_PAGES = 20_000
_encode = msgspec.json.Encoder().encode


class Entry(NamedTuple):
    """One record as it lies in the spool; `body` is JSON."""

    seq: int
    kind: Kind
    id: str
    body: bytes


class Spool:
    """A worker's own part of the journal.

    Args:
        folder: The journal's folder.
        worker: Id of the worker, unique for each start of a process.
        durable: Whether each commit waits for the disk.

    Raises:
        Busy: a living worker has this id.
        Fault: the file cannot be opened.
    """

    def __init__(self, folder: Path, worker: str, durable: bool = False) -> None:
        self.worker = worker
        self.durable = durable
        self.path = spool_path(folder, worker)
        self._guard = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = take(lock_path(folder, worker))
            if lock is None:
                raise Busy(str(self.path), "a living worker has this spool", "Give each worker its own id.")
            self._lock = lock
            self._connection = connect(self.path, durable)
            self._connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
            self._connection.executescript(_TABLE)
        except (sqlite3.Error, OSError) as error:
            raise self._fault(error) from error

    def append(self, records: Sequence[Record]) -> None:
        """Commits records in one transaction; when it returns they survive the death of the process.

        Raises:
            Fault: the disk is full, or the file locked or damaged; nothing of it was kept.
        """
        rows = [(kind_of(record), record.id, _encode(record)) for record in records]
        with self._guard:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany("INSERT INTO records(kind, id, body) VALUES (?, ?, ?)", rows)
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise self._fault(error) from error

    def checkpoint(self) -> None:
        """Copies the write-ahead log into the file, without holding up commits; for a thread of its own."""
        connection = connect(self.path, create=False)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()

    def read_after(self, seq: int, limit: int) -> list[Entry]:
        """Records after a sequence number, oldest first."""
        with self._guard:
            return read_after(self._connection, seq, limit)

    def drop_through(self, seq: int) -> None:
        """Drops records up to and including a sequence number."""
        with self._guard:
            drop_through(self._connection, seq)

    def close(self) -> None:
        """Gives the file and the worker's lock back."""
        with self._guard:
            self._connection.close()
        os.close(self._lock)

    def _fault(self, error: Exception) -> Fault:
        return Fault(
            f"journal {self.path.name}",
            f"cannot be written: {error}",
            "Free disk space in the project's .vitok/journal, or restart the worker if the file is damaged.",
        )


def spool_path(folder: Path, worker: str) -> Path:
    """Where a worker's spool lies."""
    return folder / f"spool-{worker}.sqlite"


def lock_path(folder: Path, worker: str) -> Path:
    """Where the lock lies that a living worker holds."""
    return folder / f"spool-{worker}.lock"


def spools(folder: Path) -> dict[str, Path]:
    """All spools of a journal, of living and of dead workers, by worker."""
    return {path.stem.removeprefix("spool-"): path for path in sorted(folder.glob("spool-*.sqlite"))}


def read_after(connection: sqlite3.Connection, seq: int, limit: int) -> list[Entry]:
    """Records after a sequence number, oldest first."""
    query = "SELECT seq, kind, id, body FROM records WHERE seq > ? ORDER BY seq LIMIT ?"
    return [Entry(*row) for row in connection.execute(query, (seq, limit))]


def drop_through(connection: sqlite3.Connection, seq: int) -> None:
    """Drops records up to a sequence number, in short transactions that hardly hold up the living worker."""
    query = f"DELETE FROM records WHERE seq IN (SELECT seq FROM records WHERE seq <= ? LIMIT {_DROP_AT_ONCE})"
    while connection.execute(query, (seq,)).rowcount:
        pass


def remove_if_dead(folder: Path, worker: str) -> bool:
    """Removes the empty spool of a worker that is gone; a living worker's, or one with records, stays.

    The worker takes its lock before it makes the file and keeps it until it dies, and no worker ever takes
    the id of another: who gets the lock of an existing spool knows that nobody will write to it again.
    """
    handle = take(lock_path(folder, worker))
    if handle is None:
        return False
    try:
        connection = connect(spool_path(folder, worker), create=False)
        is_empty = connection.execute("SELECT 1 FROM records LIMIT 1").fetchone() is None
        connection.close()
        if is_empty:
            for suffix in ("-wal", "-shm", ""):
                Path(f"{spool_path(folder, worker)}{suffix}").unlink(missing_ok=True)
            lock_path(folder, worker).unlink(missing_ok=True)
        return is_empty
    finally:
        os.close(handle)
