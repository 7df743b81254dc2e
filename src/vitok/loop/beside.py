"""Turns beside the keeper, in a process of their own: while one works for hours, watching and roll-outs go on."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

from vitok.loop.project import Project
from vitok.loop.turn import LOCK
from vitok.store.locks import is_held

_STDERR = 2  # where the keeper says what it does
_PATIENCE_SECONDS = 5.0  # until a process that was asked to end is ended


class Beside:
    """At most one process that takes turns; it does what `vitok turns work` does.

    It ends with whoever started it. If it is cut off, or outlives a keeper that was killed, nothing is lost or done
    twice: the lock of turns shows that it is at work, and a turn whose process died is gone on with by the next.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, project: Project, decision: str | None = None) -> None:
        """Starts it.

        Args:
            decision: The line of the decision to start a turn; None to go on with what was cut off, or to start what
                was asked for.
        """
        command = [sys.executable, "-m", "vitok.cli", "turns", "work", "--project", str(project.folder)]
        command += [] if decision is None else ["--decision", decision]
        # Its own session: Ctrl-C is for the keeper, which ends it so that the turn is gone on with later.
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=_STDERR, start_new_session=True
        )

    @property
    def has_process(self) -> bool:
        """Whether its process has not been found to have ended."""
        return self._process is not None

    def is_at_work(self, project: Project) -> bool:
        """Whether a turn of the project is under way, here or elsewhere."""
        return self.has_process or is_held(project.state / LOCK)

    def has_ended(self, project: Project) -> bool:
        """Whether it has come to its end since this was asked last; what ended it otherwise is told."""
        if self._process is None or self._process.poll() is None:
            return False
        code, self._process = self._process.returncode, None
        if code < 0:
            project.say(f"The process of a turn was ended by signal {-code}; the turn is gone on with.")
        return True

    def end(self) -> None:
        """Ends it, if it works: its turn goes on at the step that it was in, with the next keeper."""
        if self._process is None:
            return
        for how, seconds in ((signal.SIGTERM, _PATIENCE_SECONDS), (signal.SIGKILL, None)):
            with suppress(ProcessLookupError):  # ended just now
                os.killpg(self._process.pid, how)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
                break
        self._process = None
