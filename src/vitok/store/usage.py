"""What each caller has used today: a small file for each worker, written by it alone and read by all of them.

The files are mapped into memory: a count is seen by the other workers at once, and is there after its process was
killed. Whoever starts takes a place that nobody holds and goes on counting in its file, so that a day has no more
files than workers. No database and no lock is met on the way of a request.
"""

import contextlib
import hashlib
import mmap
import os
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from vitok.errors import Fault
from vitok.store.locks import take

FOLDER = "usage"
CALLERS = 4096  # of one day; further ones are not let in where they would have to be counted
_NAME_BYTES = 64
_NAME_WORDS = _NAME_BYTES // 8
_WORDS = _NAME_WORDS + 12
_HEAD = 8
_BYTES = 8 * (_HEAD + CALLERS * _WORDS)
_USED, _RUN = 0, 1
_LOOK_SECONDS = 1.0
_REMEDY = "Give fewer keys a rate or a quota."

# The words of a record behind the name. RATE and LOST are floating point, the others whole.
REQUESTS, RATE, GRANTED, LOST, ASKED, MODEL, ROWS, STRANGE, NEAR, SIGNS = range(_NAME_WORDS, _NAME_WORDS + 10)


@lru_cache(maxsize=CALLERS)
def label_of(caller: str) -> bytes:
    """A caller's name as a record holds it: what is too long for it is cut and told apart by a hash.

    >>> label_of("shop"), len(label_of("x" * 100))
    (b'shop', 64)
    """
    name = caller.encode("utf-8", "backslashreplace")
    if len(name) <= _NAME_BYTES:
        return name
    mark = hashlib.sha256(name).hexdigest()[:16].encode()
    begin = name[: _NAME_BYTES - 17].decode("utf-8", "ignore").encode()
    return begin.ljust(_NAME_BYTES - 17, b"_") + b"~" + mark


class _Table:
    """The records of one worker on one day; they are only ever added to."""

    __slots__ = ("_map", "_places", "_read", "reals", "words")

    def __init__(self, path: Path) -> None:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if os.fstat(handle).st_size != _BYTES:
                raise Fault(str(path), "is no file of counts", "Remove it: its counts are lost.")
            self._map = mmap.mmap(handle, _BYTES)
        finally:
            os.close(handle)
        self.words = memoryview(self._map).cast("Q")
        self.reals = memoryview(self._map).cast("d")
        self._places: dict[bytes, int] = {}
        self._read = 0

    def find(self, label: bytes) -> int | None:
        """Where the caller's record begins; None if it has none here."""
        if self.words[_USED] != self._read:
            self._learn(min(self.words[_USED], CALLERS))
        return self._places.get(label)

    def labels(self) -> Iterator[tuple[bytes, int]]:
        """All records of the table."""
        self.find(b"")
        return iter(self._places.items())

    def add(self, label: bytes) -> int:
        """Makes a record; its name is there before it counts as used.

        Raises:
            Fault: there are too many callers.
        """
        used = self.words[_USED]
        if used >= CALLERS:
            raise Fault("callers", f"more than {CALLERS} were counted today", _REMEDY)
        place = _HEAD + used * _WORDS
        self._map[8 * place : 8 * place + _NAME_BYTES] = label.ljust(_NAME_BYTES, b"\0")
        self.words[_USED] = used + 1
        self._places[label], self._read = place, used + 1
        return place

    def begin(self, run: int) -> None:
        """Takes the table over for a run of the server; rates do not go on from an earlier one."""
        if self.words[_RUN] == run:
            return
        for _, place in self.labels():
            self.reals[place + RATE] = self.reals[place + LOST] = 0.0
            self.words[place + GRANTED] = 0
        self.words[_RUN] = run

    def _learn(self, used: int) -> None:
        for number in range(self._read, used):
            place = _HEAD + number * _WORDS
            label = self._map[8 * place : 8 * place + _NAME_BYTES].rstrip(b"\0")
            if not label:
                return  # its name is on the way
            self._places[label] = place
            self._read = number + 1


class Usage:
    """The counts of this worker, beside those of all others.

    Args:
        folder: The project's `.vitok` folder.
        workers: How many workers the server has.
        run: The run of the server, the same for all its workers; rates are shared inside of one. None: of its own.
    """

    def __init__(self, folder: Path, workers: int = 1, run: int | None = None) -> None:
        self._folder = folder / FOLDER
        self._workers = workers
        self._run = run or secrets.randbits(63) | 1
        self._lock: int | None = None
        self._slot = 0
        self._day = -1
        self._own: _Table | None = None
        self._tables: dict[int, _Table] = {}
        self._others: list[_Table] = []
        self._look_at = 0.0

    def close(self) -> None:
        """Gives the place back; the counts stay."""
        self._own, self._others, self._day = None, [], -1
        self._tables.clear()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def record(self, caller: str, day: int) -> "Record":
        """The caller's counts of a day (since 1970, UTC), made if there are none yet.

        Raises:
            OSError: the files cannot be made.
            Fault: there are too many callers, or a file is damaged.
        """
        if day != self._day:
            self._open(day)
        elif (now := time.monotonic()) >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._take_up()
        assert self._own is not None
        label = label_of(caller)
        place = self._own.find(label)
        return Record(
            self._own, self._own.add(label) if place is None else place, label, self._others, self._run
        )

    def watched(self, caller: str, day: int) -> "Record | None":
        """The same for a caller who has no limits; None for further callers once half of the room is taken.

        Raises:
            OSError: the files cannot be made.
            Fault: a file is damaged.
        """
        own = self._own if day == self._day else None
        if own is not None and own.words[_USED] >= CALLERS // 2 and own.find(label_of(caller)) is None:
            return None
        return self.record(caller, day)

    def _open(self, day: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._lock is None:
            self._lock, self._slot = _claim(self._folder)
        for path in self._folder.glob("*.counts"):
            if day_of(path) < day - 1:
                path.unlink(missing_ok=True)
        for slot in {self._slot, *range(self._workers + 1)}:
            _make(self._folder / _name(day, slot))
        self._tables, self._day, self._own = {}, day, None
        try:
            self._take_up()
        except BaseException:
            self._day = -1
            raise

    def _take_up(self) -> None:
        """Opens the files of workers that came since the last look."""
        for path in self._folder.glob(f"{self._day}.*.counts"):
            slot = int(path.name.split(".")[1])
            if slot not in self._tables:
                self._tables[slot] = _Table(path)
        if self._own is None:
            self._own = self._tables[self._slot]
            self._own.begin(self._run)
        self._others = [table for slot, table in self._tables.items() if slot != self._slot]


class Record:
    """One caller's counts of a day: one's own to write, the others' to read."""

    __slots__ = ("_others", "_own", "_place", "_run", "label")

    def __init__(self, own: _Table, place: int, label: bytes, others: list[_Table], run: int) -> None:
        self._own = own
        self._place = place
        self.label = label
        self._others = others
        self._run = run

    def total(self, field: int) -> int:
        """A count of all workers together."""
        found = self._own.words[self._place + field]
        for table in self._others:
            place = table.find(self.label)
            if place is not None:
                found += table.words[place + field]
        return found

    def add(self, field: int, count: int = 1) -> None:
        """Counts; nobody else writes here."""
        self._own.words[self._place + field] += count

    def mark(self, sign: int) -> bool:
        """Sets a sign that no worker has set today; false if one has."""
        places = [(self._own, self._place), *((table, table.find(self.label)) for table in self._others)]
        if any(table.words[place + SIGNS] & sign for table, place in places if place is not None):
            return False
        self._own.words[self._place + SIGNS] |= sign
        return True

    def has_own_mark(self, sign: int) -> bool:
        """Whether this worker has set the sign today."""
        return bool(self._own.words[self._place + SIGNS] & sign)

    def shares_of_others(self, field: int, least_rows: int) -> list[float]:
        """Of each other caller of the same model the share of its rows that a field counts.

        Args:
            field: STRANGE or NEAR.
            least_rows: Callers with fewer rows are left out.
        """
        model, sums = self._own.words[self._place + MODEL], dict[bytes, list[int]]()
        for table in (self._own, *self._others):
            for label, place in table.labels():
                if label != self.label and table.words[place + MODEL] == model:
                    found = sums.setdefault(label, [0, 0])
                    found[0] += table.words[place + ROWS]
                    found[1] += table.words[place + field]
        return [hits / rows for rows, hits in sums.values() if rows >= least_rows]

    def count_rows(self, model: int, rows: int, strange: int, near: int) -> tuple[int, int, int]:
        """Counts rows that a model answered, and gives the sums of all workers; another model begins anew."""
        own, place = self._own.words, self._place
        if own[place + MODEL] != model:
            own[place + ROWS] = own[place + STRANGE] = own[place + NEAR] = 0
            own[place + MODEL] = model
        own[place + ROWS] += rows
        own[place + STRANGE] += strange
        own[place + NEAR] += near
        rows, strange, near = own[place + ROWS], own[place + STRANGE], own[place + NEAR]
        for table in self._others:
            other = table.find(self.label)
            if other is not None and table.words[other + MODEL] == model:
                rows += table.words[other + ROWS]
                strange += table.words[other + STRANGE]
                near += table.words[other + NEAR]
        return rows, strange, near

    def draw(self, rate: float, now: float) -> float:
        """Takes one from the bucket that all workers share; it holds a second's worth and fills at the rate.

        The level follows from what was granted and from what ran over, both of which only grow: each worker keeps
        its own part of the two, and whoever grants writes down what had run over until then. Workers that look at
        the same instant may each take the last one: the level then lies below nought until it is filled up.

        Args:
            rate: Requests a second.
            now: Seconds of the machine's monotonic clock.

        Returns:
            Nought if one was there; else after how many seconds there will be one, and nothing is taken.
        """
        own, place = self._own, self._place
        if own.reals[place + RATE] != rate:
            own.words[place + GRANTED], own.reals[place + LOST] = 0, 0.0
            own.reals[place + RATE] = rate
        granted, lost = own.words[place + GRANTED], own.reals[place + LOST]
        for table in self._others:
            other = table.find(self.label)
            if other is not None and table.words[_RUN] == self._run and table.reals[other + RATE] == rate:
                granted += table.words[other + GRANTED]
                lost = max(lost, table.reals[other + LOST])
        room = max(1.0, rate)
        level = room + rate * now - granted - lost
        if level > room:
            lost, level = lost + level - room, room
        if level < 1:
            return (1 - level) / rate
        own.reals[place + LOST] = lost
        own.words[place + GRANTED] = own.words[place + GRANTED] + 1
        return 0.0


def read_usage(folder: Path, day: int) -> dict[str, Counter[int]]:
    """What all callers have used on a day, by their names: sums by field, and all signs that are set.

    Args:
        folder: The project's `.vitok` folder.
    """
    found: dict[str, Counter[int]] = {}
    for path in sorted((folder / FOLDER).glob(f"{day}.*.counts")):
        # One that is being removed, or damaged, is passed over: the others are told all the same.
        with contextlib.suppress(OSError, Fault):
            table = _Table(path)
            for label, place in table.labels():
                counts = found.setdefault(label.decode("utf-8", "replace"), Counter())
                for field in (REQUESTS, ASKED, ROWS, STRANGE, NEAR):
                    counts[field] += table.words[place + field]
                counts[SIGNS] |= table.words[place + SIGNS]
    return found


def day_of(path: Path) -> int:
    """The day of a file of counts."""
    return int(path.name.split(".")[0])


def _name(day: int, slot: int) -> str:
    return f"{day}.{slot}.counts"


def _claim(folder: Path) -> tuple[int, int]:
    """The lock on the first place that nobody holds."""
    slot = 0
    while (lock := take(folder / f"{slot}.lock")) is None:
        slot += 1
    return lock, slot


def _make(path: Path) -> None:
    """Makes an empty file with all its room on the disk: a map into a hole would end the process on a full disk."""
    if path.exists():
        return
    temporary = path.with_name(f".making-{secrets.token_hex(8)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(bytes(_BYTES))
        # Unlike a rename, a link never replaces a file in which somebody counts already.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
