"""Batch prediction: a table of any size in, a table out, by the plan in force, and everything in the journal."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from vitok.data.scans import Table
from vitok.errors import DataMistake, UserMistake
from vitok.journal.mover import move
from vitok.kernel.clock import stopwatch
from vitok.loop.batch import PREDICTING, Batch
from vitok.loop.batch_input import Input, chunks
from vitok.loop.batch_journal import BatchJournal
from vitok.loop.batch_rows import Predicted, Run
from vitok.loop.batch_work import Work
from vitok.loop.outcomes import JOURNAL
from vitok.loop.production import release_in_force
from vitok.loop.project import Project
from vitok.release.plan import Plan

PART_ROWS = 50_000  # with 30 inputs in the journal, some 100 MB on their way to the lake
_BETWEEN_SECONDS = 1.0


class Request(NamedTuple):
    """What is to be predicted.

    Args:
        source: File, folder, pattern or `lake:NAME`; None for a query over the charter's sources alone.
        output: File that ends in .csv, .parquet or .jsonl, or a folder.
        query: SQL over the charter's sources, and over the source as `rows`.
        is_journalled: Whether the journal keeps the predictions.
        part_rows: How many rows are finished together: what an interruption may cost.
        intervals: Whether each row tells how sure its score is.
    """

    source: str | None
    output: Path
    query: str | None = None
    is_journalled: bool = True
    part_rows: int = PART_ROWS
    intervals: bool = False


def predict_table(
    project: Project, request: Request, progress: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Predicts every row of a table.

    The output appears when it is complete and its predictions are in the journal. Run again after an interruption
    it goes on after the last finished part.

    Args:
        progress: Takes a line a second.

    Returns:
        The object that `vitok predict --json` prints.

    Raises:
        NotFound: nothing is in production, or no such input.
        DataMistake: an input is missing, or is null where training rows never were.
        UserMistake: the output cannot be written, or the run was interrupted.
        Fault: a version fails, and no fallback can answer.
    """
    started, plan = stopwatch(), _plan(project)
    source, work = Input(project, request.source, request.query), Work(request.output)
    source.refuse_inside(request.output)
    batch = Batch(plan, project.blobs, intervals=request.intervals)
    with work.held():
        try:
            run = _begin(project, request, source, plan, work)
            job = _Job(project, batch, work, run, source.tables(batch.wanted(), work), request, progress)
            with closing(job.journal):
                job.run()
            work.finish(_columns(batch, work))
        except KeyboardInterrupt as error:
            remedy = f"Run the same command again.{work.kept()}"
            raise UserMistake("vitok predict", "interrupted", remedy) from error
        finally:
            work.discard()
    if request.is_journalled:
        move(project.state / JOURNAL, project.lake, project.clock())
    return job.report() | {
        "seconds": round(stopwatch() - started, 3),
        "version": plan.champion.version,
        "output": str(request.output),
    }


def _plan(project: Project) -> Plan:
    return release_in_force(project, "predict").plan


def _begin(project: Project, request: Request, source: Input, plan: Plan, work: Work) -> Run:
    facts = source.facts() | {
        "release plan": plan.to_json().decode(),
        "options": [request.is_journalled, request.part_rows, request.intervals],
    }
    run, changed = work.begin(facts, project.clock())
    if changed:
        names = " and ".join(changed)
        project.say(f"Starting anew: {names} changed since the interrupted run.")
    return run


class _Job:
    """Parts, one after the other, each predicted, kept and journalled."""

    def __init__(
        self,
        project: Project,
        batch: Batch,
        work: Work,
        run: Run,
        tables: list[Table],
        request: Request,
        progress: Callable[[str], None],
    ) -> None:
        self._project, self._batch, self._work, self._run = project, batch, work, run
        self._tables, self._request, self._progress = tables, request, progress
        self.journal = BatchJournal(project, run)
        self.total = sum(table.rows for table in tables)
        self.resumed = 0
        if self.total == 0:
            place = request.source or "the query"
            raise DataMistake(place, "has no rows", "Give rows to predict.")

    def run(self) -> None:
        """Predicts what is not finished yet."""
        size, first = self._request.part_rows, self._finished()
        self.resumed = min(first * size, self.total)
        if self.resumed:
            self._project.say(f"Going on after {self.resumed:,} rows of an interrupted run.")
        begun = told = stopwatch()
        done = self.resumed
        for number, part in enumerate(self._predicted(first), start=first):
            self._keep(number, part)
            done += part.output.height
            now = stopwatch()
            if now - told >= _BETWEEN_SECONDS:
                told = now
                self._tell(done, (done - self.resumed) / (now - begun))

    def report(self) -> dict[str, Any]:
        """How many rows there were, and how many cells of each column did not read as their type."""
        unread: dict[str, int] = {}
        for table in self._tables:
            for name, count in table.unread.items():
                unread[name] = unread.get(name, 0) + count
        return {
            "rows": self.total,
            "unread_cells": unread,
            "resumed_rows": self.resumed,
            "journalled": self._request.is_journalled,
        }

    def _finished(self) -> int:
        """How many parts need not be predicted again: those that are kept and, if asked for, journalled."""
        kept = self._work.parts()
        if not self._request.is_journalled:
            return len(kept)
        count = min(len(kept), self.journal.parts())
        if count:
            ids = pl.read_parquet(kept[count - 1], columns=["id"])["id"]
            self.journal.index(ids)
        return count

    def _predicted(self, first: int) -> Iterator[Predicted]:
        """The parts from a number on, in their order; while one is kept the next ones are predicted."""
        size, is_journalled = self._request.part_rows, self._request.is_journalled
        waiting: deque[Future[Predicted]] = deque()
        with ThreadPoolExecutor(PREDICTING) as pool:
            for number, rows in enumerate(chunks(self._tables, self.resumed, size), start=first):
                start = number * size
                waiting.append(
                    pool.submit(self._batch.predict, rows, start, self._run, is_journalled=is_journalled)
                )
                if len(waiting) > PREDICTING:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _keep(self, number: int, part: Predicted) -> None:
        self._work.store(number, part.output)
        if part.journal is not None:
            with self._work.writing():
                self.journal.add(number, part.journal, has_made_ids=part.has_made_ids)

    def _tell(self, done: int, speed: float) -> None:
        left = (self.total - done) / max(speed, 1e-9)
        self._progress(f"{done:,} of {self.total:,} rows, {speed:,.0f} rows/s, {_span(left)} left")


def _columns(batch: Batch, work: Work) -> list[str]:
    """The columns of the output: why and by whom a row was decided only if not all are simply the model's."""
    names = batch.columns()
    if batch.plan.policy.is_plain:
        actions = pl.scan_parquet(work.parts(), glob=False).select((pl.col("action") == "model").all())
        if actions.collect(engine="streaming").item():
            return names[:-2]
    return names


def _span(seconds: float) -> str:
    """
    >>> _span(59), _span(3700)
    ('59 s', '1 h 1 min')
    """
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
