"""Ends a worker that hangs or eats memory, so that its supervisor starts another.

A model runs on the thread of the event loop: if it never returns, nothing on that thread can help. This thread can. A
model that never returns in a thread apart holds up nobody, but uses the machine up: then the requests in progress are
answered first.
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

from vitok.journal.records import Prediction
from vitok.serve.http import log
from vitok.serve.observe import flush_logs
from vitok.serve.trouble import Asked, Trouble

_BEAT_SECONDS = 0.2
_LOOK_SECONDS = 0.5
_GRACE_SECONDS = 1.0
_LAST_WORDS_SECONDS = 1.0
_DRAIN_SECONDS = 15.0
EXIT_CODE = 70
_MEMORY = Path("/proc/self/statm")


class Watchdog:
    """Watches the event loop of its process.

    Args:
        limit_seconds: Gives how long the loop may stand still, at present.
        memory_mb: Gives the memory from which on the worker is replaced, None for no limit.
        trouble: Knows who is being asked.
        record: Takes the failures of rows that hung the worker; it has a second.
    """

    def __init__(
        self,
        limit_seconds: Callable[[], float],
        memory_mb: Callable[[], int | None],
        trouble: Trouble,
        record: Callable[[list[Prediction]], None],
    ) -> None:
        self._limit_seconds = limit_seconds
        self._memory_mb = memory_mb
        self._trouble = trouble
        self._record = record
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
            stood, longest = time.monotonic() - self._beat, self._limit_seconds() + _GRACE_SECONDS
            if stood > longest:
                self._end(stood)
            standing = self._trouble.take_standing(longest)
            if standing:
                self._replace(standing, longest)
            limit = self._memory_mb()
            if limit is not None and (used := memory_mb()) > limit:
                log.error("the worker uses %d MB, more than %d: it is replaced", used, limit)
                os.kill(os.getpid(), signal.SIGTERM)  # requests in progress are answered first
                return

    def _end(self, stood: float) -> None:
        log.critical("the worker has not moved for %.1f s: it ends, another takes its place", stood)
        asked = self._trouble.take_asked()
        _last_words(lambda: self._blame([] if asked is None else [asked]))
        _last_words(_say_where)
        os._exit(EXIT_CODE)

    def _replace(self, standing: list[Asked], longest: float) -> None:
        log.critical("a model has not answered for %.1f s: the worker ends, another takes its place", longest)
        _last_words(lambda: self._blame(standing))
        _last_words(_say_where)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_DRAIN_SECONDS)
        os._exit(EXIT_CODE)

    def _blame(self, standing: list[Asked]) -> None:
        """Nobody else records the rows: the loop does not turn, or nobody waits for them."""
        for asked in standing:
            self._trouble.mark_hang(asked.digest)
            self._record(asked.failures())


def _last_words(said: Callable[[], None]) -> None:
    """The disk may hang too, and whoever reads stderr may be gone: the end waits for neither."""
    thread = threading.Thread(target=said, daemon=True)
    thread.start()
    thread.join(_LAST_WORDS_SECONDS)


def _say_where() -> None:
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    flush_logs()


def memory_mb() -> int:
    """Memory that this process really uses; 0 where the system does not say."""
    try:
        return int(_MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20
    except (OSError, ValueError, IndexError):
        return 0
