"""What workers remember of versions that fail: a breaker for each, and marks on disk of those that hung a worker."""

import time
from contextlib import suppress
from pathlib import Path

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


class Trouble:
    """The breakers of a worker, and the marks that dying workers leave for the next ones.

    Args:
        folder: Where the marks lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.asked: str | None = None  # the bundle that was asked last
        self._breakers: dict[str, Breaker] = {}

    def breaker(self, digest: str) -> Breaker:
        """The breaker of a bundle; one that hung two workers of late begins at rest, for a minute a hang."""
        if digest not in self._breakers:
            hangs = self._hangs(digest)
            rest = time.monotonic() + _HANG_REST_SECONDS * hangs if hangs > 1 else 0.0
            self._breakers[digest] = Breaker(rest)
        return self._breakers[digest]

    def mark_hang(self, digest: str) -> None:
        """Leaves a mark that this bundle was being asked when the worker hung."""
        with suppress(OSError):  # the worker ends in any case
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / f"{digest[:16]}-{time.time_ns()}").touch()

    def _hangs(self, digest: str) -> int:
        since = time.time_ns() - int(_HANGS_COUNT_SECONDS * 1e9)
        marks = [path.name.rpartition("-")[2] for path in self._folder.glob(f"{digest[:16]}-*")]
        return sum(mark.isdigit() and int(mark) >= since for mark in marks)
