"""Commands that go on by themselves: started once, looked at by anybody, ended on request."""

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from vitok.store.blobs import write_atomically
from vitok.store.locks import is_held, take

_LOCK, _OUT, _LOG, _PROCESS = "running", "out", "log", "process"
_LONGEST_LOG = 64 * 2**10


def start(folder: Path, command: Sequence[str]) -> bool:
    """Starts a command that goes on when this process ends; its output goes to files of the folder.

    It holds a lock for as long as it runs, so that its end is known, however it comes.

    Returns:
        False if one of this folder is running.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = take(folder / _LOCK)
    if lock is None:
        return False
    try:
        (folder / _PROCESS).unlink(missing_ok=True)  # of the one before, whose number may be another's now
        with (folder / _OUT).open("wb") as out, (folder / _LOG).open("wb") as log:
            work = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock,),
            )
        write_atomically(folder / _PROCESS, str(work.pid).encode())
        # Or its entry stays with the system for as long as we.
        threading.Thread(target=work.wait, daemon=True).start()
    finally:
        os.close(lock)
    return True


def is_running(folder: Path) -> bool:
    """Whether the command has not ended."""
    return is_held(folder / _LOCK)


def end(folder: Path) -> None:
    """Ends the command and what it has started, if it runs."""
    path = folder / _PROCESS
    if is_running(folder) and path.is_file():
        with suppress(ProcessLookupError):  # ended just now
            os.killpg(int(path.read_text()), signal.SIGTERM)


def output(folder: Path) -> bytes:
    """What it has written."""
    path = folder / _OUT
    return path.read_bytes() if path.is_file() else b""


def log(folder: Path) -> list[str]:
    """The last lines that it has said."""
    path = folder / _LOG
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LONGEST_LOG))
        return file.read().decode("utf-8", "replace").splitlines()
