"""What workers remember of versions that fail: a breaker for each, and marks on disk of those that hung a worker."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from vitok.journal.records import Prediction

_FAILURES = 5  # in a row
_REST_SECONDS = 10.0
_HANG_REST_SECONDS = 60.0
_HANGS_COUNT_SECONDS = 600.0


class Breaker:
    """Spares a version that keeps failing: after five failures in a row it rests, then one request tries it again.

    Args:
        resting_until: Monotonic time until which it rests from the start.
    """

    def __init__(self, resting_until: float = 0.0) -> None:
        self._failures = _FAILURES if resting_until else 0
        self._until = resting_until

    @property
    def is_open(self) -> bool:
        """Whether the version is not to be asked now."""
        return self._failures >= _FAILURES and time.monotonic() < self._until

    def succeeded(self) -> None:
        """Takes note of an answer."""
        self._failures = 0

    def failed(self) -> None:
        """Takes note of a failure."""
        self._failures += 1
        if self._failures >= _FAILURES:
            self._until = time.monotonic() + _REST_SECONDS


class Asked(NamedTuple):
    """A version that is being asked.

    Args:
        digest: Of its bundle.
        failures: Makes the records of its rows, should no answer ever come.
    """

    digest: str
    failures: Callable[[], list[Prediction]]


class _Apart(NamedTuple):
    """A version that is asked in a thread apart, and since when on the monotonic clock."""

    asked: Asked
    since: float


class Trouble:
    """The breakers of a worker, and what dying workers leave for the next ones.

    Args:
        folder: Where the marks lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked: Asked | None = None
        self._apart: dict[int, _Apart] = {}
        # Threads whose answers come too late; they never end, so that their ids stay theirs.
        self._late: set[int] = set()
        self._guard = threading.Lock()
        self._is_ending = False
        self._breakers: dict[str, Breaker] = {}

    def breaker(self, digest: str) -> Breaker:
        """The breaker of a bundle; one that hung two workers of late begins at rest, for a minute a hang."""
        if digest not in self._breakers:
            hangs = self._hangs(digest)
            rest = time.monotonic() + _HANG_REST_SECONDS * hangs if hangs > 1 else 0.0
            self._breakers[digest] = Breaker(rest)
        return self._breakers[digest]

    def asking(self, asked: Asked) -> None:
        """Takes note of whom the next scores are asked of, on the event loop or in a thread apart."""
        if on_loop():
            self._asked = asked
            return
        with self._guard:
            self._apart[threading.get_ident()] = _Apart(asked, time.monotonic())

    def answered(self) -> None:
        """Takes note that the scores came; waits for the end of the process if they are taken for failed already."""
        with self._guard:
            if on_loop():
                self._asked = None
                is_late = self._is_ending
            else:
                self._apart.pop(threading.get_ident(), None)
                is_late = threading.get_ident() in self._late
        while is_late:
            time.sleep(_REST_SECONDS)

    def take_asked(self) -> Asked | None:
        """Whom the event loop waits for; from now on an answer of it comes too late, so that no row counts twice.

        Only for a process that ends.
        """
        with self._guard:
            self._is_ending = self._asked is not None
            return self._asked

    def take_standing(self, seconds: float) -> list[Asked]:
        """Whom threads apart wait for longer than a time; from now on their answers come too late."""
        before = time.monotonic() - seconds
        with self._guard:
            standing = {thread: each for thread, each in self._apart.items() if each.since < before}
            for thread in standing:
                del self._apart[thread]
                self._late.add(thread)
            return [each.asked for each in standing.values()]

    def mark_hang(self, digest: str) -> None:
        """Leaves a mark that this bundle was being asked when the worker hung."""
        with suppress(OSError):  # the worker ends in any case
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / f"{digest[:16]}-{time.time_ns()}").touch()

    def _hangs(self, digest: str) -> int:
        since = time.time_ns() - int(_HANGS_COUNT_SECONDS * 1e9)
        marks = [path.name.rpartition("-")[2] for path in self._folder.glob(f"{digest[:16]}-*")]
        return sum(mark.isdigit() and int(mark) >= since for mark in marks)


def no_records() -> list[Prediction]:
    """For rows that are recorded otherwise."""
    return []


def on_loop() -> bool:
    """Whether this thread is that of an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
