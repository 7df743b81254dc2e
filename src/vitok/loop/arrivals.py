"""How much came in: predictions and outcomes of each window that closes, against those of the weeks before."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from vitok.loop.journals import JournalReader
from vitok.monitor.volume import OUTCOMES, PREDICTIONS, VolumeFinding, memory, volume_finding
from vitok.registry import windows as remembered


class Arrivals:
    """Counts of the windows so far.

    Args:
        journal: Tells how many outcomes came.
        width: Length of a window.
        begin: First window that is judged.
    """

    def __init__(self, engine: Engine, journal: JournalReader, width: timedelta, begin: datetime) -> None:
        self._journal, self._width = journal, width
        with engine.connect() as connection:
            known = remembered.counts(connection, begin - memory(width))
        self._rows = {start: rows for start, (rows, _) in known.items()}
        self._outcomes = {start: outcomes for start, (_, outcomes) in known.items()}

    def judge(self, start: datetime, rows: int) -> tuple[VolumeFinding, ...]:
        """A window that closed, with its predictions; it is part of the past from now on."""
        before = start - timedelta(microseconds=1)  # what comes with its first instant belongs to a window
        outcomes = self._journal.labels_since(before, before + self._width)
        found = (
            volume_finding(PREDICTIONS, rows, self._rows, start, self._width),
            volume_finding(OUTCOMES, outcomes, self._outcomes, start, self._width),
        )
        self._rows[start], self._outcomes[start] = rows, outcomes
        return found
