"""Profiles of what was predicted, by window, version, role and slice: kept as it arrives, in one small file.

The smallest windows are summed up into days and four weeks, so that any span of years is the sum of about a hundred
profiles. A record is counted once: what is added and how far each worker's records are counted is one transaction.
The file can be made anew from the journal at any time.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from vitok.errors import Fault
from vitok.journal.sqlite import connect
from vitok.kernel.digests import canonical_json
from vitok.stats.packed import Packed, total

_TABLES = """
CREATE TABLE IF NOT EXISTS profiles(
    level INTEGER, start INTEGER, digest TEXT, role TEXT, part TEXT, version INTEGER NOT NULL, rows INTEGER NOT NULL,
    content BLOB NOT NULL, PRIMARY KEY (level, start, digest, role, part)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counted(worker TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS about(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
# A Monday, as windows of the charter are aligned.
_ORIGIN = datetime(1970, 1, 5, tzinfo=UTC)
_DAY, _MONTH = 86_400, 28 * 86_400
_SMALLEST = (3600, 1800, 900, 600, 300, 60, 30, 10, 5, 1)
_T = TypeVar("_T")
_Key = tuple[int, int, str, str, str]
_INSIDE = "FROM profiles WHERE level = ? AND start >= ? AND start < ?"
WHOLE = ""  # the part that is no slice


class ProfilesFault(Fault):
    """The file of profiles cannot be used."""


@dataclass(frozen=True, slots=True)
class Part:
    """A profile of some rows of one smallest window.

    Args:
        start: Of the window.
        digest, version: Of the version that answered.
        role: In which it did.
        part: The slice, such as `origin=JFK`; empty for all rows.
        content: The profile.
    """

    start: datetime
    digest: str
    version: int
    role: str
    part: str
    content: Packed


@dataclass(frozen=True, slots=True)
class Group:
    """How many rows of a span a version answered in a role."""

    digest: str
    version: int
    role: str
    rows: int


def smallest_window(width: timedelta) -> timedelta:
    """The longest window that divides both the charter's window and a day; at most an hour.

    >>> smallest_window(timedelta(minutes=90)), smallest_window(timedelta(days=7))
    (datetime.timedelta(seconds=1800), datetime.timedelta(seconds=3600))
    """
    seconds = int(width.total_seconds())
    return timedelta(seconds=next(each for each in _SMALLEST if seconds % each == 0))


class ProfileStore:
    """The profiles of a project.

    Args:
        path: The file; None for one in memory.
        about: What profiles depend on beside the bundles; with another value all begins anew.
        smallest: Length of the smallest windows, from `smallest_window`.

    Raises:
        Fault: the file cannot be opened.
    """

    def __init__(self, path: Path | None, smallest: timedelta, about: Mapping[str, object]) -> None:
        self.smallest = smallest
        self._path = path
        width = int(smallest.total_seconds())
        self._levels = (width, *(level for level in (_DAY, _MONTH) if level > width and level % width == 0))
        self._connection = _guarded(
            lambda: connect(path) if path else sqlite3.connect(":memory:", isolation_level=None)
        )
        _guarded(lambda: self._connection.executescript(_TABLES))
        self._begin_anew_unless({"smallest": self._levels[0], **about})

    def counted(self) -> dict[str, int]:
        """The last record of each worker that the profiles know."""
        return dict(self._all("SELECT worker, seq FROM counted"))

    def note(self, name: str, value: str) -> None:
        """Remembers a remark, such as the version of the lake's table that has been counted."""
        _guarded(
            lambda: self._connection.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (name, value))
        )

    def noted(self, name: str) -> str | None:
        """A remark, None if there is none."""
        found = self._all("SELECT value FROM about WHERE name = ?", (name,))
        return found[0][0] if found else None

    def add(self, parts: Iterable[Part], counted: Mapping[str, int], before: Mapping[str, int]) -> bool:
        """Adds profiles, and says which records they are made of, all or nothing.

        Args:
            counted: The last record by worker.
            before: What `counted` said when the parts were made.

        Returns:
            False if another process has counted records of these workers meanwhile: nothing was added.
        """
        return _guarded(lambda: self._add(parts, counted, before))

    def read(
        self,
        start: datetime,
        end: datetime,
        digest: str,
        *,
        part: str = WHOLE,
        without: Collection[str] = (),
    ) -> Packed | None:
        """The profile of a span, None if it has no rows; both ends are those of smallest windows.

        Args:
            part: A slice, or the whole.
            without: Roles to leave out.
        """
        found = []
        for level, first, last in _tiles(_seconds(start), _seconds(end), self._levels):
            query = f"SELECT role, content {_INSIDE} AND digest = ? AND part = ?"
            rows = self._all(query, (level, first, last, digest, part))
            found += [Packed.from_bytes(content) for role, content in rows if role not in without]
        return total(found) if found else None

    def groups(self, start: datetime, end: datetime) -> list[Group]:
        """Which versions answered how many rows of a span, in which role."""
        counts: dict[tuple[str, int, str], int] = {}
        for level, first, last in _tiles(_seconds(start), _seconds(end), self._levels):
            query = f"SELECT digest, version, role, rows {_INSIDE} AND part = ''"
            for digest, version, role, rows in self._all(query, (level, first, last)):
                counts[digest, version, role] = counts.get((digest, version, role), 0) + rows
        return [Group(*key, rows) for key, rows in sorted(counts.items())]

    def slices(self, start: datetime, end: datetime, digest: str) -> list[str]:
        """The slices that a version has rows of in a span."""
        query = f"SELECT DISTINCT part {_INSIDE} AND digest = ? AND part != ''"
        found: set[str] = set()
        for level, first, last in _tiles(_seconds(start), _seconds(end), self._levels):
            found.update(part for (part,) in self._all(query, (level, first, last, digest)))
        return sorted(found)

    def span(self) -> tuple[datetime, datetime] | None:
        """Start of the first smallest window with rows and end of the last one, None without any."""
        query = "SELECT min(start), max(start) FROM profiles WHERE level = ?"
        first, last = self._all(query, (self._levels[0],))[0]
        if first is None:
            return None
        return _instant(first), _instant(last) + self.smallest

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def _begin_anew_unless(self, about: Mapping[str, object]) -> None:
        wanted = canonical_json(about).decode()
        if self.noted("about") == wanted:
            return
        _guarded(
            lambda: self._connection.executescript(
                "BEGIN IMMEDIATE; DELETE FROM profiles; DELETE FROM counted; DELETE FROM about; COMMIT"
            )
        )
        self.note("about", wanted)

    def _add(self, parts: Iterable[Part], counted: Mapping[str, int], before: Mapping[str, int]) -> bool:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            known = self.counted()
            if any(known.get(worker) != before.get(worker) for worker in counted):
                self._connection.execute("ROLLBACK")
                return False
            for key, (version, contents) in self._by_window(parts).items():
                self._merge(key, version, total(contents))
            rows = list(counted.items())
            self._connection.executemany("INSERT OR REPLACE INTO counted VALUES (?, ?)", rows)
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        return True

    def _by_window(self, parts: Iterable[Part]) -> dict[_Key, tuple[int, list[Packed]]]:
        """What each window of each level gains."""
        found: dict[_Key, tuple[int, list[Packed]]] = {}
        for each in parts:
            for level in self._levels:
                key = (level, _seconds(each.start) // level * level, each.digest, each.role, each.part)
                found.setdefault(key, (each.version, []))[1].append(each.content)
        return found

    def _merge(self, key: _Key, version: int, content: Packed) -> None:
        query = "SELECT content FROM profiles WHERE level = ? AND start = ? AND digest = ? AND role = ? AND part = ?"
        known = self._connection.execute(query, key).fetchone()
        if known is not None:
            content = Packed.from_bytes(known[0]) + content
        self._connection.execute(
            "INSERT OR REPLACE INTO profiles VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*key, version, content.rows, content.to_bytes()),
        )

    def _all(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        return _guarded(lambda: self._connection.execute(query, values).fetchall())


def _tiles(start: int, end: int, levels: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """A span as the fewest windows: pairs of level and run of neighbouring windows, [first, last).

    >>> _tiles(82800, 2 * 86400 + 7200, (3600, 86400, 28 * 86400))
    [(3600, 82800, 86400), (86400, 86400, 172800), (3600, 172800, 180000)]
    """
    if start >= end:
        return []
    level = levels[-1]
    if len(levels) == 1:
        return [(level, start // level * level, end)]
    first, last = -(-start // level) * level, end // level * level
    if first >= last:
        return _tiles(start, end, levels[:-1])
    return [*_tiles(start, first, levels[:-1]), (level, first, last), *_tiles(last, end, levels[:-1])]


def _seconds(time: datetime) -> int:
    return (time - _ORIGIN) // timedelta(seconds=1)


def _instant(seconds: int) -> datetime:
    return _ORIGIN + timedelta(seconds=seconds)


def _guarded(work: Callable[[], _T]) -> _T:
    try:
        return work()
    except sqlite3.Error as error:
        raise ProfilesFault(
            "profiles", f"cannot be used: {error}", "Delete the file profiles.sqlite; it is made anew."
        ) from error
