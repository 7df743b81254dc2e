"""Group commit: what arrives in one turn of the event loop is journalled in one transaction."""

import asyncio
import sqlite3
from collections.abc import Sequence

from vitok.errors import Fault
from vitok.journal.records import Record
from vitok.journal.spool import Spool
from vitok.serve.http import HttpProblem, log

_INLINE = 256  # so many records commit in about 2 ms; more would hold up other requests
_CHECKPOINT_SECONDS = 1.0


class Recorder:
    """Writes records to the worker's spool; whoever awaits `commit` continues when they are safe."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._waiting: list[tuple[Sequence[Record], asyncio.Future[None]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def commit(self, records: Sequence[Record]) -> None:
        """Returns when the records are committed.

        Raises:
            HttpProblem: they could not be (503); then nothing was kept of them.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((records, done))
        if len(self._waiting) == 1:
            loop.call_soon(self._flush)
        await done

    async def checkpoint(self) -> None:
        """Keeps the spool's log short, in a thread, until cancelled."""
        while True:
            await asyncio.sleep(_CHECKPOINT_SECONDS)
            try:
                await asyncio.to_thread(self._spool.checkpoint)
            except sqlite3.Error as error:
                log.warning("the journal's log could not be shortened: %s", error)

    def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        if self._spool.durable or sum(len(records) for records, _ in batch) > _INLINE:
            task = asyncio.get_running_loop().create_task(self._write_in_thread(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            try:
                self._write(batch)
            except Exception as error:  # each waiting request must hear of it
                _settle(batch, error)
            else:
                _settle(batch, None)

    async def _write_in_thread(self, batch: list[tuple[Sequence[Record], asyncio.Future[None]]]) -> None:
        try:
            await asyncio.to_thread(self._write, batch)
        except Exception as error:  # each waiting request must hear of it
            _settle(batch, error)
        else:
            _settle(batch, None)

    def _write(self, batch: list[tuple[Sequence[Record], asyncio.Future[None]]]) -> None:
        self._spool.append([record for records, _ in batch for record in records])


def _settle(batch: list[tuple[Sequence[Record], asyncio.Future[None]]], error: Exception | None) -> None:
    if isinstance(error, Fault):
        log.error("%s", error)
    for _, done in batch:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        elif isinstance(error, Fault):
            done.set_exception(HttpProblem(503, f"not recorded, so not answered: {error}"))
        else:
            done.set_exception(error)
