"""Locks that the kernel gives back when their holder dies."""

import fcntl
import os
from pathlib import Path


def take(path: Path) -> int | None:
    """Takes the exclusive lock on a file, or returns None if somebody else holds it.

    Returns:
        A handle: `os.close` gives the lock back, and so does the end of the process, however it comes.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
