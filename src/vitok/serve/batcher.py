"""Requests that arrive in one turn of the event loop are scored, and journalled, together.

Nobody waits for others: a turn takes what is there. Under load that is many requests at once, and the fixed cost of
the graph and of a commit is shared. While requests come one by one, each goes through at once, without a turn of the
loop between its arrival and its score, and another between its record and its answer.
"""

import asyncio
from datetime import datetime
from typing import NamedTuple

from vitok.model.schema import Rows
from vitok.serve.deployment import Deployment
from vitok.serve.http import HttpProblem
from vitok.serve.mirror import Mirror
from vitok.serve.predict import Answer, predict, timed_out
from vitok.serve.recorder import Entry, Recorder

_INLINE_ROWS = 256  # more rows are scored in a thread, so that other requests do not wait


class _Job(NamedTuple):
    deployment: Deployment
    rows: Rows
    received: datetime
    version: int | None
    done: "asyncio.Future[Answer]"


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
        groups: dict[tuple[int, int | None], list[_Job]] = {}
        for job in waiting:
            groups.setdefault((id(job.deployment), job.version), []).append(job)
        answered = [pair for jobs in groups.values() for pair in self._answers(jobs)]
        if answered:
            self._write(answered)

    def _write(self, answered: list[tuple[_Job, Answer]]) -> None:
        self._recorder.write([_entry(job, answer) for job, answer in answered])
        for job, answer in answered:
            if answer.error is None:
                self._mirror.take(job.deployment, job.rows, answer.records)

    async def _apart(self, job: _Job) -> Answer:
        """The answer to many rows, made in a thread; or the records of their failure in time."""
        seconds, moments = job.deployment.plan.policy.timeout_seconds, [job.received] * len(job.rows)
        given = (job.deployment, job.rows, moments, self._worker, job.version)
        try:
            return await asyncio.wait_for(asyncio.to_thread(predict, *given), seconds)
        except TimeoutError:
            what = f"the request took longer than {seconds:g} s. Send fewer rows"
            return Answer([], timed_out(*given), HttpProblem(504, what))

    def _answers(self, jobs: list[_Job]) -> list[tuple[_Job, Answer]]:
        """What the jobs of one deployment are answered; one that cannot be asked hears of it, and gets none."""
        first = jobs[0]
        if len(jobs) == 1 or first.deployment.in_trouble:
            return [(job, answer) for job in jobs if (answer := self._alone(job)) is not None]
        rows = Rows(first.rows.schema, [row for job in jobs for row in job.rows.found])
        moments = [job.received for job in jobs for _ in job.rows.found]
        try:
            whole = predict(first.deployment, rows, moments, self._worker, first.version, fall_back=False)
        except Exception:  # one of them is at fault: alone, each learns whether it was
            return [(job, answer) for job in jobs if (answer := self._alone(job)) is not None]
        answered, start = [], 0
        for job in jobs:
            end = start + len(job.rows)
            answered.append((job, Answer(whole.predictions[start:end], whole.records[start:end])))
            start = end
        return answered

    def _alone(self, job: _Job) -> Answer | None:
        try:
            moments = [job.received] * len(job.rows)
            return predict(job.deployment, job.rows, moments, self._worker, job.version)
        except Exception as error:  # the request hears of it, whatever it is
            if not job.done.done():
                job.done.set_exception(error)
            return None


def _entry(job: _Job, answer: Answer) -> Entry:
    def unrecorded() -> Answer:
        answer.recorded = False
        return answer

    otherwise = unrecorded if _must_tell(job.deployment, answer) else None
    return Entry(answer.records, answer, job.done, otherwise)


def _must_tell(deployment: Deployment, answer: Answer) -> bool:
    """Whether the caller hears the answer although it could not be recorded."""
    return deployment.unrecorded or answer.error is not None
