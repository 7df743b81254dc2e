"""Which ids were predicted and which outcomes stand: over all spools and over what was moved from them.

The mover alone writes the index, and drops a record from its spool only after the index has it. So whoever
looks into the spools first and into the index second finds every record, also one that is being moved.
"""

import json
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vitok.errors import Fault
from vitok.journal.outcomes import Value
from vitok.journal.recent import Recent
from vitok.journal.records import Outcome
from vitok.journal.sqlite import connect, open_reader

_TABLES = """
CREATE TABLE IF NOT EXISTS predictions(id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs(run TEXT, first INTEGER, last INTEGER, PRIMARY KEY (run, first)) WITHOUT ROWID;
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

MADE_DIGITS = 10
MADE = re.compile(rf"(.+)-([0-9]{{{MADE_DIGITS}}})", re.DOTALL)
_AT_ONCE = 500  # ids in a statement: more than twice as fast as one by one


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
            for part in _parts(list(predicted)):
                marks = ",".join(["(?)"] * len(part))
                self._connection.execute(f"INSERT OR IGNORE INTO predictions VALUES {marks}", part)
            self._connection.executemany(_KEEP_STANDING, rows)
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def add_range(self, run: str, first: int, last: int) -> None:
        """Adds the made ids of rows in a row, as one entry; adding them again changes nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            known = "SELECT 1 FROM runs WHERE run = ? AND first <= ? AND last >= ?"
            if self._connection.execute(known, (run, first, last)).fetchone() is None:
                longer = "UPDATE runs SET last = ? WHERE run = ? AND last = ?"
                if self._connection.execute(longer, (last, run, first - 1)).rowcount == 0:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", (run, first, last)
                    )
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
        self._path = index_path(folder)
        self._recent = Recent(folder)
        self._reader: sqlite3.Connection | None = None
        self._guard = threading.Lock()

    def find(self, ids: Iterable[str]) -> tuple[set[str], dict[str, Value]]:
        """Which of the ids were predicted, and the outcome that stands for each that has one.

        Raises:
            Fault: a file of the journal cannot be read.
        """
        wanted = set(ids)
        with self._guard:
            try:
                self._recent.refresh()
                predicted, reported = self._recent.find(wanted)
                return predicted, self._look_into_index(wanted, predicted, reported)
            except (sqlite3.Error, OSError) as error:
                raise Fault(
                    "journal",
                    f"cannot be read: {error}",
                    "Send the outcomes again; check the disk if it persists.",
                ) from error

    def close(self) -> None:
        """Closes all files."""
        with self._guard:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _look_into_index(
        self, wanted: set[str], predicted: set[str], reported: list[Outcome]
    ) -> dict[str, Value]:
        if self._reader is None and self._path.exists():
            self._reader = open_reader(self._path)
        standing: dict[str, tuple[bool, float, Value]] = {}
        if self._reader is not None and _has_table(self._reader, "runs"):
            predicted.update(_made_by_runs(self._reader, wanted))
        if self._reader is not None and _has_table(self._reader, "outcomes"):
            for part in _parts(sorted(wanted)):
                among = f"WHERE id IN ({','.join('?' * len(part))})"
                predicted.update(
                    key for (key,) in self._reader.execute(f"SELECT id FROM predictions {among}", part)
                )
                for key, value, replaced, received in self._reader.execute(
                    f"SELECT * FROM outcomes {among}", part
                ):
                    standing[key] = (bool(replaced), received, json.loads(value))
        for outcome in reported:
            new = (outcome.replace, outcome.received.timestamp(), outcome.value)
            old = standing.get(outcome.id)
            if old is None or _stands_over(new, old):
                standing[outcome.id] = new
        return {key: value for key, (_, _, value) in standing.items()}


def _made_by_runs(reader: sqlite3.Connection, wanted: set[str]) -> Iterator[str]:
    """The ids that batches made for their rows."""
    by_run: dict[str, list[tuple[int, str]]] = {}
    for key in wanted:
        if (made := MADE.fullmatch(key)) is not None:
            by_run.setdefault(made[1], []).append((int(made[2]), key))
    for run, numbers in by_run.items():
        ranges = reader.execute("SELECT first, last FROM runs WHERE run = ?", (run,)).fetchall()
        yield from (key for number, key in numbers if any(low <= number <= high for low, high in ranges))


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Ids for one statement each; as a list in JSON they would end at a zero character."""
    return (ids[first : first + _AT_ONCE] for first in range(0, len(ids), _AT_ONCE))


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
