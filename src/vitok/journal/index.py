"""Which ids were predicted and which outcomes stand: over all spools and over what was moved from them.

The mover alone writes the index, and drops a record from its spool only after the index has it. So whoever
looks into the spools first and into the index second finds every record, also one that is being moved.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

import msgspec

from vitok.errors import Fault
from vitok.journal.outcomes import Value
from vitok.journal.records import Outcome
from vitok.journal.spool import spools
from vitok.journal.sqlite import connect, open_reader

_TABLES = """
CREATE TABLE IF NOT EXISTS predictions(id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outcomes(
    id TEXT PRIMARY KEY, value TEXT NOT NULL, replaced INTEGER NOT NULL, received REAL NOT NULL
) WITHOUT ROWID;
"""
# Of several outcomes of one id the last replacement stands, else the first report: the same whatever the
# order in which spools are moved, and the same as the ledger's rule.
_KEEP_STANDING = """
INSERT INTO outcomes VALUES (?, ?, ?, ?) ON CONFLICT(id) DO UPDATE
SET value = excluded.value, replaced = excluded.replaced, received = excluded.received
WHERE (excluded.replaced AND (NOT outcomes.replaced OR excluded.received >= outcomes.received))
   OR (NOT excluded.replaced AND NOT outcomes.replaced AND excluded.received < outcomes.received)
"""


class Index:
    """The mover's side: ids and outcomes of all records that were moved out of spools."""

    def __init__(self, folder: Path) -> None:
        self._connection = connect(index_path(folder))
        self._connection.executescript(_TABLES)

    def add(self, predicted: Iterable[str], outcomes: Iterable[Outcome]) -> None:
        """Adds records in one transaction; adding them again changes nothing."""
        rows = [(o.id, json.dumps(o.value), int(o.replace), o.received.timestamp()) for o in outcomes]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(
                "INSERT OR IGNORE INTO predictions VALUES (?)", ((key,) for key in predicted)
            )
            self._connection.executemany(_KEEP_STANDING, rows)
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()


class Lookup:
    """The worker's side: reads all spools of a journal and the index; safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._readers: dict[Path, sqlite3.Connection] = {}
        self._guard = threading.Lock()
        self._decode = msgspec.json.Decoder(Outcome).decode

    def find(self, ids: Iterable[str]) -> tuple[set[str], dict[str, Value]]:
        """Which of the ids were predicted, and the outcome that stands for each that has one.

        Raises:
            Fault: a file of the journal cannot be read.
        """
        wanted = json.dumps(sorted(set(ids)))
        predicted: set[str] = set()
        reported: list[Outcome] = []
        with self._guard:
            try:
                for path in self._paths():
                    self._look_into_spool(path, wanted, predicted, reported)
                return predicted, self._look_into_index(wanted, predicted, reported)
            except sqlite3.Error as error:
                raise Fault(
                    "journal",
                    f"cannot be read: {error}",
                    "Send the outcomes again; check the disk if it persists.",
                ) from error

    def close(self) -> None:
        """Closes all files."""
        with self._guard:
            for reader in self._readers.values():
                reader.close()
            self._readers.clear()

    def _paths(self) -> list[Path]:
        paths = list(spools(self._folder).values())
        for gone in self._readers.keys() - {*paths, index_path(self._folder)}:
            self._readers.pop(gone).close()
        return paths

    def _reader(self, path: Path) -> sqlite3.Connection | None:
        if path not in self._readers:
            try:
                self._readers[path] = open_reader(path)
            except sqlite3.OperationalError:
                if path.exists():
                    raise
                return None  # removed by the mover since the folder was listed: all of it is in the index
        return self._readers[path]

    def _look_into_spool(self, path: Path, wanted: str, predicted: set[str], reported: list[Outcome]) -> None:
        reader = self._reader(path)
        if reader is None or not _has_table(reader, "records"):
            return
        query = "SELECT kind, id, body FROM records WHERE id IN (SELECT value FROM json_each(?)) ORDER BY seq"
        for kind, key, body in reader.execute(query, (wanted,)):
            if kind == "prediction":
                predicted.add(key)
            else:
                reported.append(self._decode(body))

    def _look_into_index(self, wanted: str, predicted: set[str], reported: list[Outcome]) -> dict[str, Value]:
        reader = self._reader(index_path(self._folder)) if index_path(self._folder).exists() else None
        standing: dict[str, tuple[bool, float, Value]] = {}
        if reader is not None and _has_table(reader, "outcomes"):
            query = "SELECT id FROM predictions WHERE id IN (SELECT value FROM json_each(?))"
            predicted.update(key for (key,) in reader.execute(query, (wanted,)))
            query = "SELECT * FROM outcomes WHERE id IN (SELECT value FROM json_each(?))"
            for key, value, replaced, received in reader.execute(query, (wanted,)):
                standing[key] = (bool(replaced), received, json.loads(value))
        for outcome in reported:
            new = (outcome.replace, outcome.received.timestamp(), outcome.value)
            old = standing.get(outcome.id)
            if old is None or _stands_over(new, old):
                standing[outcome.id] = new
        return {key: value for key, (_, _, value) in standing.items()}


def _stands_over(new: tuple[bool, float, Value], old: tuple[bool, float, Value]) -> bool:
    if new[0] != old[0]:
        return new[0]
    return new[1] >= old[1] if new[0] else new[1] < old[1]


def index_path(folder: Path) -> Path:
    """Where the index lies."""
    return folder / "index.sqlite"


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (name,)).fetchone() is not None
