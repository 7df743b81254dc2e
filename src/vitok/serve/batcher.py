"""Requests that arrive in one turn of the event loop are scored, and journalled, together.

Nobody waits for others: a turn takes what is there. Under load that is many requests at once, and the fixed cost of
the graph and of a commit is shared; alone, a request goes through at once.
"""

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import NamedTuple

from vitok.model.schema import Rows
from vitok.serve.deployment import Deployment
from vitok.serve.http import HttpProblem
from vitok.serve.predict import Answer, predict
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
    """

    def __init__(self, worker: str, recorder: Recorder) -> None:
        self._worker = worker
        self._recorder = recorder
        self._waiting: list[_Job] = []

    async def answer(
        self, deployment: Deployment, rows: Rows, received: datetime, version: int | None = None
    ) -> Answer:
        """The predictions for the rows of one request, recorded.

        Args:
            version: The version to ask, instead of the one that the plan routes each unit to.

        Raises:
            NotFound: the version is not in production.
            RequestMistake: a row is routed to a version that takes other inputs, and lacks one.
            Fault: a model fails.
            HttpProblem: the records could not be written (503).
        """
        loop = asyncio.get_running_loop()
        if len(rows) > _INLINE_ROWS:
            moments = [received] * len(rows)
            work = asyncio.to_thread(predict, deployment, rows, moments, self._worker, version)
            answer = await _in_time(work, deployment)
            job = _Job(deployment, rows, received, version, loop.create_future())
            self._recorder.write([_entry(job, answer)])
            return await job.done
        done: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append(_Job(deployment, rows, received, version, done))
        if len(self._waiting) == 1:
            loop.call_soon(self._flush)
        return await done

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        groups: dict[tuple[int, int | None], list[_Job]] = {}
        for job in waiting:
            groups.setdefault((id(job.deployment), job.version), []).append(job)
        entries = [entry for jobs in groups.values() for entry in self._answers(jobs)]
        if entries:
            self._recorder.write(entries)

    def _answers(self, jobs: list[_Job]) -> list[Entry]:
        """What the jobs of one deployment are answered; one that fails hears of it, and leaves no entry."""
        first = jobs[0]
        if len(jobs) == 1 or first.deployment.shadows or first.deployment.in_trouble:
            return [entry for job in jobs if (entry := self._alone(job)) is not None]
        rows = Rows(first.rows.schema, [row for job in jobs for row in job.rows.found])
        moments = [job.received for job in jobs for _ in job.rows.found]
        try:
            whole = predict(first.deployment, rows, moments, self._worker, first.version, fall_back=False)
        except Exception:  # one of them is at fault: alone, each learns whether it was
            return [entry for job in jobs if (entry := self._alone(job)) is not None]
        entries, start = [], 0
        for job in jobs:
            end = start + len(job.rows)
            answer = Answer(whole.records[start:end], [])
            answer.predictions = whole.predictions[start:end]
            entries.append(_entry(job, answer))
            start = end
        return entries

    def _alone(self, job: _Job) -> Entry | None:
        try:
            moments = [job.received] * len(job.rows)
            answer = predict(job.deployment, job.rows, moments, self._worker, job.version)
        except Exception as error:  # the request hears of it, whatever it is
            if not job.done.done():
                job.done.set_exception(error)
            return None
        return _entry(job, answer)


async def _in_time(work: Awaitable[Answer], deployment: Deployment) -> Answer:
    seconds = deployment.plan.policy.timeout_seconds
    try:
        return await asyncio.wait_for(work, seconds)
    except TimeoutError as error:
        what = f"the request took longer than {seconds:g} s. Send fewer rows"
        raise HttpProblem(504, what) from error


def _entry(job: _Job, answer: Answer) -> Entry:
    def unrecorded() -> Answer:
        answer.recorded = False
        return answer

    return Entry(answer.records, answer, job.done, unrecorded if job.deployment.unrecorded else None)
