"""Group commit: what arrives in one turn of the event loop is journalled in one commit."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

from vitok.errors import Fault
from vitok.journal.records import Record
from vitok.journal.spool import Spool
from vitok.serve.http import HttpProblem, log

_INLINE = 256  # so many records commit in about 0.3 ms; more would hold up other requests


class Entry(NamedTuple):
    """Records that somebody waits for; `done` gets `result` once they are safe, or the reason why they are not.

    Args:
        otherwise: What `done` gets if they cannot be recorded; None for the reason.
    """

    records: Sequence[Record]
    result: Any
    done: "asyncio.Future[Any]"
    otherwise: Callable[[], Any] | None = None


class Recorder:
    """Writes records to the worker's spool; whoever awaits them continues when they are safe."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._waiting: list[Entry] = []
        self._queue: list[Entry] = []
        self._is_draining = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def commit(self, records: Sequence[Record]) -> None:
        """Returns when the records are committed, together with others of this turn.

        Raises:
            HttpProblem: they could not be (503); then nothing was kept of them.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append(Entry(records, None, done))
        if len(self._waiting) == 1:
            loop.call_soon(self._flush)
        await done

    @property
    def is_immediate(self) -> bool:
        """Whether records are safe as soon as they are written: nobody needs to wait for the disk."""
        return not self._spool.durable

    def record(self, records: Sequence[Record]) -> None:
        """Commits a few records at once; only where `is_immediate`.

        Raises:
            HttpProblem: they could not be (503); then nothing was kept of them.
        """
        try:
            self._spool.append(records)
        except Fault as error:
            log.error("%s", error)
            raise _unrecorded(error) from error

    def write(self, entries: list[Entry]) -> None:
        """Commits entries together and tells whoever waits; in a thread if that takes its time."""
        if self._spool.durable:
            self._queue += entries
            if not self._is_draining:
                self._is_draining = True
                self._begin(self._drain())
        elif sum(len(entry.records) for entry in entries) > _INLINE:
            self._begin(self._write_in_thread(entries))
        else:
            try:
                self._append(entries)
            except Exception as error:  # each waiting request must hear of it
                _settle(entries, error)
            else:
                _settle(entries, None)

    def _flush(self) -> None:
        entries, self._waiting = self._waiting, []
        self.write(entries)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self) -> None:
        """While the disk is busy with one commit, what arrives waits for the next one, all of it."""
        try:
            while self._queue:
                entries, self._queue = self._queue, []
                await self._write_in_thread(entries)
        finally:
            self._is_draining = False

    async def _write_in_thread(self, entries: list[Entry]) -> None:
        try:
            await asyncio.to_thread(self._append, entries)
        except Exception as error:  # each waiting request must hear of it
            _settle(entries, error)
        else:
            _settle(entries, None)

    def _append(self, entries: list[Entry]) -> None:
        self._spool.append([record for entry in entries for record in entry.records])


def _unrecorded(error: Fault) -> HttpProblem:
    return HttpProblem(503, f"not recorded, so not answered: {error}")


def _settle(entries: list[Entry], error: Exception | None) -> None:
    if isinstance(error, Fault):
        log.error("%s", error)
    for entry in entries:
        if entry.done.done():
            continue
        if error is None:
            entry.done.set_result(entry.result)
        elif isinstance(error, Fault) and entry.otherwise is not None:
            entry.done.set_result(entry.otherwise())
        elif isinstance(error, Fault):
            entry.done.set_exception(_unrecorded(error))
        else:
            entry.done.set_exception(error)
