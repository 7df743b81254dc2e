"""Ends a worker that hangs or eats memory, so that its supervisor starts another.

A model runs on the thread of the event loop: if it never returns, nothing on that thread can help. This thread can.
"""

import asyncio
import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from vitok.serve.http import log
from vitok.serve.observe import flush_logs

_BEAT_SECONDS = 0.2
_LOOK_SECONDS = 0.5
_GRACE_SECONDS = 1.0
_LAST_WORDS_SECONDS = 1.0
EXIT_CODE = 70
_MEMORY = Path("/proc/self/statm")


class Watchdog:
    """Watches the event loop of its process.

    Args:
        limit_seconds: Gives how long the loop may stand still, at present.
        memory_mb: Gives the memory from which on the worker is replaced, None for no limit.
        on_hang: Is told before a hanging worker ends; it has a second.
    """

    def __init__(
        self,
        limit_seconds: Callable[[], float],
        memory_mb: Callable[[], int | None],
        on_hang: Callable[[], None],
    ) -> None:
        self._limit_seconds = limit_seconds
        self._memory_mb = memory_mb
        self._on_hang = on_hang
        self._beat = time.monotonic()
        self._stop = threading.Event()

    async def beat(self) -> None:
        """Shows that the loop turns, until cancelled; starts to watch with the first beat."""
        thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._beat = time.monotonic()
        thread.start()
        try:
            while True:
                self._beat = time.monotonic()
                await asyncio.sleep(_BEAT_SECONDS)
        finally:
            self._stop.set()

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            stood = time.monotonic() - self._beat
            if stood > self._limit_seconds() + _GRACE_SECONDS:
                self._end(stood)
            limit = self._memory_mb()
            if limit is not None and (used := memory_mb()) > limit:
                log.error("the worker uses %d MB, more than %d: it is replaced", used, limit)
                os.kill(os.getpid(), signal.SIGTERM)  # requests in progress are answered first
                return

    def _end(self, stood: float) -> None:
        log.critical("the worker has not moved for %.1f s: it ends, another takes its place", stood)
        # The disk may hang too, and whoever reads stderr may be gone: the end waits for neither.
        for last in (self._on_hang, _say_where):
            thread = threading.Thread(target=last, daemon=True)
            thread.start()
            thread.join(_LAST_WORDS_SECONDS)
        os._exit(EXIT_CODE)


def _say_where() -> None:
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    flush_logs()


def memory_mb() -> int:
    """Memory that this process really uses; 0 where the system does not say."""
    try:
        return int(_MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20
    except (OSError, ValueError, IndexError):
        return 0
