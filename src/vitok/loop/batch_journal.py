"""Journal rows of a batch: straight into the lake, one commit a part, each part once."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import polars as pl

from vitok.errors import Busy
from vitok.journal.index import Index
from vitok.journal.made_ids import made_range
from vitok.journal.mover import become_mover
from vitok.journal.tables import batch_table, batch_tables
from vitok.kernel.clock import stopwatch
from vitok.loop.batch_rows import Run
from vitok.loop.outcomes import JOURNAL
from vitok.loop.project import Project
from vitok.store.bulk import BulkTable

_WAIT_SECONDS, _PAUSE_SECONDS = 120.0, 0.02


class BatchJournal:
    """The journal of one run.

    Args:
        run: Whose rows are journalled.
    """

    def __init__(self, project: Project, run: Run) -> None:
        self._lake, self._folder, self._run = project.lake, project.state / JOURNAL, run
        self._index: Index | None = None
        self._tables: dict[tuple[str, ...], BulkTable] = {}  # by the columns of the rows

    def close(self) -> None:
        """Closes the index."""
        if self._index is not None:
            self._index.close()
            self._index = None

    def parts(self) -> int:
        """How many parts of the run it has."""
        known = (self._lake.last_sequence(table, self._run.worker) for table in batch_tables(self._lake))
        return max((last or 0 for last in known), default=0)

    def add(self, number: int, frame: pl.DataFrame, *, has_made_ids: bool) -> None:
        """Adds a part's rows; a part that is there already is not added again.

        The order is the mover's: first the lake, then the index of ids. Dying between the two leaves ids that
        outcomes do not find yet; the run that goes on calls `index` for the last part again.
        """
        with self._mover():
            columns = tuple(f"{name} {kind}" for name, kind in frame.schema.items())
            if columns not in self._tables:
                table = batch_table(self._lake, frame)
                self._tables[columns] = BulkTable(self._lake, table, self._run.worker)
            self._tables[columns].append(frame, number + 1)
            if has_made_ids:
                first, last = cast("tuple[int, int]", (frame["seq"].min(), frame["seq"].max()))
                self._opened().add_range(self._run.id, first - 1, last - 1)
            else:
                self._remember(frame["id"])

    def index(self, ids: pl.Series) -> None:
        """Makes ids findable for outcomes; repeating it changes nothing."""
        with self._mover():
            self._remember(ids)

    def _remember(self, ids: pl.Series) -> None:
        numbers = made_range(self._run.id, ids)
        if numbers is None:
            self._opened().add(ids.sort().to_list(), ())  # in the order of the index: several times faster
        else:
            self._opened().add_range(self._run.id, *numbers)

    def _opened(self) -> Index:
        if self._index is None:
            self._index = Index(self._folder)
        return self._index

    @contextmanager
    def _mover(self) -> Iterator[None]:
        """Holds the lock of the mover, who alone writes the index.

        Raises:
            Busy: another one does not give it back.
        """
        end = stopwatch() + _WAIT_SECONDS
        while (handle := become_mover(self._folder)) is None:
            if stopwatch() > end:
                raise Busy("journal", "another process is moving it", "Run again when it is done.")
            time.sleep(_PAUSE_SECONDS)
        try:
            yield
        finally:
            os.close(handle)
