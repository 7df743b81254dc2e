"""Requests that arrive in one turn of the event loop are scored, and journalled, together.

Nobody waits for others: a turn takes what is there. Under load that is many requests at once, and the fixed cost of
the graph and of a commit is shared. While requests come one by one, each goes through at once, without a turn of the
loop between its arrival and its score, and another between its record and its answer.
"""

import asyncio
import threading
from datetime import datetime
from typing import NamedTuple

from vitok.errors import Fault
from vitok.journal.records import FAILED, Prediction
from vitok.model.schema import Rows
from vitok.serve.apart import run_apart
from vitok.serve.deployment import Deployment
from vitok.serve.http import HttpProblem
from vitok.serve.mirror import Mirror
from vitok.serve.predict import Answer, ask, predict, timed_out, told, too_late
from vitok.serve.recorder import Entry, Recorder

_INLINE_ROWS = 256  # more rows are scored in a thread, so that other requests do not wait
_PART_ROWS = 1024  # scored at a time: a model that takes longer for them than a request may is in trouble
_APART = 8  # requests that are scored in threads at the same time


class _Job(NamedTuple):
    deployment: Deployment
    rows: Rows
    received: datetime
    version: int | None
    done: "asyncio.Future[Answer]"

    @property
    def moments(self) -> list[datetime]:
        """When each row arrived."""
        return [self.received] * len(self.rows)


class Batcher:
    """Scores and records requests; whoever awaits `answer` continues when the records are safe.

    Args:
        worker: Id of the worker.
        mirror: Takes what was answered, for the shadows.
    """

    def __init__(self, worker: str, recorder: Recorder, mirror: Mirror) -> None:
        self._worker = worker
        self._recorder = recorder
        self._mirror = mirror
        self._waiting: list[_Job] = []
        self._crowd = 0  # requests of the last turn that were answered together
        self._has_begun = False  # whether a request of this turn went through at once
        self._room_apart = asyncio.Semaphore(_APART)

    async def answer(
        self, deployment: Deployment, rows: Rows, received: datetime, version: int | None = None
    ) -> Answer:
        """The predictions for the rows of one request, recorded; or its error, if the rows have failed.

        Args:
            version: The version to ask, instead of the one that the plan routes each unit to.

        Raises:
            NotFound: the version is not in production.
            RequestMistake: a row is routed to a version that takes other inputs, and lacks one.
            HttpProblem: the records could not be written (503), or it took too long (504).
        """
        loop = asyncio.get_running_loop()
        if len(rows) > _INLINE_ROWS:
            job = _Job(deployment, rows, received, version, loop.create_future())
            self._write([(job, await self._apart(job))])
            return await job.done
        if self._crowd <= 1 and not self._waiting and not self._has_begun and self._recorder.is_immediate:
            self._has_begun = True
            loop.call_soon(self._end_turn)
            return self._at_once(deployment, rows, received, version)
        done: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append(_Job(deployment, rows, received, version, done))
        if len(self._waiting) == 1:
            loop.call_soon(self._flush)
        return await done

    def _end_turn(self) -> None:
        self._has_begun = False

    def _at_once(self, deployment: Deployment, rows: Rows, received: datetime, version: int | None) -> Answer:
        answer = predict(deployment, rows, [received] * len(rows), self._worker, version)
        try:
            self._recorder.record(answer.records)
        except HttpProblem:
            if not _must_tell(deployment, answer):
                raise
            answer.recorded = False
        if answer.error is None:
            self._mirror.take(deployment, rows, answer.records)
        return answer

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._crowd = len(waiting) + self._has_begun
        try:
            answered = [pair for jobs in _groups(waiting) for pair in self._answers(jobs)]
            if answered:
                self._write(answered)
        except BaseException as error:  # nobody may wait for ever
            for job in waiting:
                if not job.done.done():
                    job.done.set_exception(_spoken(error))
            raise

    def _write(self, answered: list[tuple[_Job, Answer]]) -> None:
        self._recorder.write([_entry(job, answer) for job, answer in answered])
        for job, answer in answered:
            if answer.error is None:
                self._mirror.take(job.deployment, job.rows, answer.records)

    async def _apart(self, job: _Job) -> Answer:
        """The answer to many rows, made in a thread; or the records of their failure in time."""
        given_up = threading.Event()
        try:
            async with asyncio.timeout(job.deployment.plan.policy.timeout_seconds), self._room_apart:
                return await run_apart(lambda: self._by_parts(job, given_up))
        except TimeoutError:
            given_up.set()
            records = timed_out(job.deployment, job.rows, job.moments, self._worker, job.version)
            return Answer([], records, too_late(job.deployment))

    def _by_parts(self, job: _Job, given_up: threading.Event) -> Answer:
        """Some rows at a time, until all are answered, one fails, or nobody waits any more."""
        answered: list[Prediction] = []
        for start in range(0, len(job.rows), _PART_ROWS):
            if given_up.is_set():
                break
            rows = job.rows.part(range(start, min(start + _PART_ROWS, len(job.rows))))
            part = ask(job.deployment, rows, [job.received] * len(rows), self._worker, job.version)
            answered += part
            if any(each.action == FAILED for each in part):
                break
        return told(job.deployment, answered)

    def _answers(self, jobs: list[_Job]) -> list[tuple[_Job, Answer]]:
        """What the jobs of one deployment are answered; one that cannot be asked hears of it, and gets none."""
        first = jobs[0]
        if len(jobs) == 1 or first.deployment.in_trouble:
            return [(job, answer) for job in jobs if (answer := self._alone(job)) is not None]
        rows = Rows(first.rows.schema, [row for job in jobs for row in job.rows.found])
        moments = [moment for job in jobs for moment in job.moments]
        try:
            whole = ask(first.deployment, rows, moments, self._worker, first.version, fall_back=False)
        except Exception:  # one of them is at fault: alone, each learns whether it was
            return [(job, answer) for job in jobs if (answer := self._alone(job)) is not None]
        answered, start = [], 0
        for job in jobs:
            end = start + len(job.rows)
            answered.append((job, told(job.deployment, whole[start:end])))
            start = end
        return answered

    def _alone(self, job: _Job) -> Answer | None:
        try:
            return predict(job.deployment, job.rows, job.moments, self._worker, job.version)
        except Exception as error:  # the request hears of it, whatever it is
            if not job.done.done():
                job.done.set_exception(_spoken(error))
            return None


def _groups(jobs: list[_Job]) -> list[list[_Job]]:
    """Jobs that can be asked together: of one deployment and version, and not too many rows."""
    groups: dict[tuple[int, int | None], list[list[_Job]]] = {}
    sizes: dict[tuple[int, int | None], int] = {}
    for job in jobs:
        key = (id(job.deployment), job.version)
        size = sizes.get(key, _PART_ROWS) + len(job.rows)
        if size > _PART_ROWS:
            groups.setdefault(key, []).append([])
            size = len(job.rows)
        groups[key][-1].append(job)
        sizes[key] = size
    return [group for several in groups.values() for group in several]


def _spoken(error: BaseException) -> Exception:
    """An error as a future can hold it."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return Fault("the request", f"failed: {type(error).__name__}: {error}", "See the server's log.")


def _entry(job: _Job, answer: Answer) -> Entry:
    def unrecorded() -> Answer:
        answer.recorded = False
        return answer

    otherwise = unrecorded if _must_tell(job.deployment, answer) else None
    return Entry(answer.records, answer, job.done, otherwise)


def _must_tell(deployment: Deployment, answer: Answer) -> bool:
    """Whether the caller hears the answer although it could not be recorded."""
    return deployment.unrecorded or answer.error is not None
