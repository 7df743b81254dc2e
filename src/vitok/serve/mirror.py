"""Shadows: versions that are asked after the answer is sent, for the record only."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from vitok.journal.records import Prediction
from vitok.model.schema import Rows
from vitok.serve.apart import run_apart
from vitok.serve.deployment import Deployment
from vitok.serve.predict import mirror
from vitok.serve.recorder import Entry, Recorder

MOST_ROWS = 4096  # that wait; under more load shadows see a part of the requests
_PAUSE_SECONDS = 0.005
_PART_ROWS = 1024  # asked at a time, as in requests of many rows
_CLOSING_SECONDS = 5.0


class _Asked(NamedTuple):
    deployment: Deployment
    rows: Rows
    answered: list[Prediction]


class Mirror:
    """Asks the shadows what was answered, in a thread beside the requests.

    Args:
        worker: Id of the worker.
        count: Is told what shadows predicted, and how many rows they did not see.
    """

    def __init__(
        self, worker: str, recorder: Recorder, count: Callable[[list[Prediction], int], None]
    ) -> None:
        self._worker = worker
        self._recorder = recorder
        self._count = count
        self._waiting: list[_Asked] = []
        self._rows = 0
        self._task: asyncio.Task[None] | None = None

    def take(self, deployment: Deployment, rows: Rows, answered: list[Prediction]) -> None:
        """Keeps the rows of an answer for the shadows, unless too many wait already."""
        if not deployment.shadows:
            return
        if self._rows + len(rows) > MOST_ROWS:
            self._count([], len(rows))
            return
        self._waiting.append(_Asked(deployment, rows, answered))
        self._rows += len(rows)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._drain())

    async def close(self) -> None:
        """Returns when what was taken is recorded, or some seconds later: a shadow that hangs holds nobody up."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_CLOSING_SECONDS)

    async def _drain(self) -> None:
        while self._waiting:
            await asyncio.sleep(_PAUSE_SECONDS)  # the answers go first
            asked, self._waiting, self._rows = self._waiting, [], 0
            found = await run_apart(partial(self._ask, asked))
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._recorder.write([Entry(found, None, done, lambda: None)])
            await done
            self._count(found, 0)

    def _ask(self, asked: list[_Asked]) -> list[Prediction]:
        """Requests that were answered by the same plan are asked together, as their answers were."""
        groups: dict[tuple[int, int], list[_Asked]] = {}
        for each in asked:
            groups.setdefault((id(each.deployment), id(each.rows.schema)), []).append(each)
        found: list[Prediction] = []
        for group in groups.values():
            rows = Rows(group[0].rows.schema, [row for each in group for row in each.rows.found])
            answered = [prediction for each in group for prediction in each.answered]
            for start in range(0, len(rows), _PART_ROWS):
                part = range(start, min(start + _PART_ROWS, len(rows)))
                found += mirror(
                    group[0].deployment, rows.part(part), answered[start : part.stop], self._worker
                )
        return found
