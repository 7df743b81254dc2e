"""Journal rows of a batch: straight into the lake, one commit a part, each part once."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from vitok.errors import Busy
from vitok.journal.index import Index
from vitok.journal.mover import become_mover
from vitok.kernel.clock import stopwatch
from vitok.loop.batch_rows import Run
from vitok.loop.outcomes import JOURNAL
from vitok.loop.project import Project

_TABLE = "predictions"
_WAIT_SECONDS, _PAUSE_SECONDS = 120.0, 0.02


def journalled_parts(project: Project, run: Run) -> int:
    """How many parts of a run the journal has."""
    return project.lake.last_sequence(_TABLE, run.worker) or 0


def journal_part(project: Project, run: Run, number: int, frame: pl.DataFrame) -> None:
    """Adds a part's rows to the journal; a part that it has already is not added again.

    The order is the mover's: first the lake, then the index of ids. Dying between the two leaves ids that
    outcomes do not find yet; the run that goes on calls `index_part` for the last part again.
    """
    with _mover(project):
        project.lake.append(_TABLE, frame, run.worker, number + 1)
        _remember(project, frame["id"])


def index_part(project: Project, ids: pl.Series) -> None:
    """Makes ids findable for outcomes; repeating it changes nothing."""
    with _mover(project):
        _remember(project, ids)


def _remember(project: Project, ids: pl.Series) -> None:
    index = Index(project.state / JOURNAL)
    try:
        index.add(ids.sort().to_list(), ())  # in the order of the index: several times faster
    finally:
        index.close()


@contextmanager
def _mover(project: Project) -> Iterator[None]:
    """Holds the lock of the mover, who alone writes the index.

    Raises:
        Busy: another one does not give it back.
    """
    folder = project.state / JOURNAL
    end = stopwatch() + _WAIT_SECONDS
    while (handle := become_mover(folder)) is None:
        if stopwatch() > end:
            raise Busy("journal", "another process is moving it", "Run again when it is done.")
        time.sleep(_PAUSE_SECONDS)
    try:
        yield
    finally:
        os.close(handle)
