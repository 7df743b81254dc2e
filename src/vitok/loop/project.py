"""A project as the use cases see it: its charter, its stores, its clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from sqlalchemy import Engine

from vitok.charter.load import Document
from vitok.charter.model import Charter
from vitok.data.snapshot import read_rows
from vitok.kernel.clock import Clock
from vitok.registry.tracking import Tracker
from vitok.store.blobs import Blobs
from vitok.store.lake import Lake
from vitok.store.slots import Machine

Rows = tuple[pl.DataFrame, dict[str, int]]


@dataclass(frozen=True)
class Project:
    """A project's charter, stores and clock; replay makes one with a virtual clock and stores of its own.

    Args:
        folder: Where `vitok.yaml` and the sources are.
        state: Where everything that Vitok writes is.
        document: The charter with positions.
        engine: State database.
        lake: Versioned tables.
        blobs: Bundles.
        clock: The only source of time.
        tracker: Opens the run tracker, or None for no tracking.
        say: Takes progress lines.
        cached_rows: Rows to use in place of reading the sources again.
        workflows: Database of the workflow engine, by which a turn goes on after a crash; None to do without.
        fits: Where fitted models are kept for other replays; None to keep none.
        machine: What turns share with those of other projects; None to share nothing.
        pinned: Where the charter's files are as they were when a turn began; None for the project's folder.
    """

    folder: Path
    state: Path
    document: Document
    engine: Engine
    lake: Lake
    blobs: Blobs
    clock: Clock
    tracker: Callable[[], Tracker] | None
    say: Callable[[str], None]
    cached_rows: Rows | None = None
    workflows: str | None = field(default=None, repr=False)  # it may hold a password
    fits: Path | None = None
    machine: Machine | None = None
    pinned: Path | None = None

    @property
    def charter(self) -> Charter:
        """The charter."""
        return self.document.charter

    @property
    def code(self) -> Path:
        """Where the files that the charter names as code and expectations are."""
        return self.pinned or self.folder

    def rows(self) -> Rows:
        """All rows of the sources, checked, and the cells lost in coercion."""
        if self.cached_rows is not None:
            return self.cached_rows
        return read_rows(self.folder, self.charter, self.document.place(("data", "query")))
