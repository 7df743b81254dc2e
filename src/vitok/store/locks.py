"""Locks between processes of one machine; the kernel frees them when the holder dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitok.errors import Busy
from vitok.kernel.clock import stopwatch

_PAUSE_SECONDS = 0.05
GLANCE_SECONDS = 0.3  # to wait for those who only look whether a lock is held, and hold it for that instant


def _take(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def take(path: Path) -> int | None:
    """Takes the exclusive lock on a file, or returns None if somebody else holds it.

    Returns:
        A handle: `os.close` gives the lock back, and so does the end of the process, however it comes.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    if _take(handle):
        return handle
    os.close(handle)
    return None


def is_held(path: Path) -> bool:
    """Whether another process, or another part of this one, holds the lock on a file just now."""
    if not path.exists():
        return False
    handle = take(path)
    if handle is not None:
        os.close(handle)
    return handle is None


@contextmanager
def hold(path: Path, what: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Holds an exclusive lock for the time of the block.

    Args:
        path: The lock file; it stays, and names the last holder's process.
        what: The work, for the message.
        wait_seconds: How long to wait for it.

    Raises:
        Busy: another process holds it all that time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        end = stopwatch() + wait_seconds
        while not _take(file.fileno()):
            if stopwatch() >= end:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                remedy = "Wait until it ends, or stop it."
                raise Busy(what, f"process {holder} is at it in this project", remedy)
            time.sleep(_PAUSE_SECONDS)
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
