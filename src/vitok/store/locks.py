"""Locks between processes of one machine; the kernel frees them when the holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitok.errors import Busy


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Holds an exclusive lock for the time of the block.

    Args:
        path: The lock file; it stays, and names the last holder's process.
        what: The work, for the message.

    Raises:
        Busy: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise Busy(
                what, f"process {holder} is at it in this project", "Wait until it ends, or stop it."
            ) from error
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
