"""What lies in the spools, by id: read once, then only what was added since.

It holds what the mover has not yet taken out of the spools, so the mover keeps it small: at most one segment of each
living worker, and what was predicted since the last move.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from vitok.journal.records import Outcome, decode_outcome
from vitok.journal.segments import ACTIVE, CLOSED, read_segment, segment_path, spools


@dataclass
class _Segment:
    """What was read of one segment.

    Args:
        offset: How far it was read.
        is_done: Whether nothing will be added.
    """

    offset: int = 0
    is_done: bool = False
    predicted: set[str] = field(default_factory=set)
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)


class Recent:
    """Ids and outcomes of all records in the spools of a journal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[tuple[str, int], _Segment] = {}

    def refresh(self) -> None:
        """Reads what was committed since the last time, and forgets the segments that were removed.

        Raises:
            Fault: a closed segment is damaged.
            OSError: a segment cannot be read.
        """
        known: dict[tuple[str, int], _Segment] = {}
        for worker, numbers in spools(self._folder).items():
            for number in numbers:
                segment = self._known.get((worker, number), _Segment())
                if not segment.is_done:
                    try:
                        segment = self._read(worker, number, segment, is_closed=number != numbers[-1])
                    except FileNotFoundError:
                        continue  # removed by the mover since the folder was listed: all of it is in the index
                known[worker, number] = segment
        self._known = known

    def find(self, wanted: Iterable[str]) -> tuple[set[str], list[Outcome]]:
        """Which ids were predicted, and all outcomes of these ids, in the order of each spool."""
        wanted = set(wanted)
        predicted: set[str] = set()
        reported: list[Outcome] = []
        for segment in self._known.values():
            predicted |= wanted & segment.predicted
            for key in wanted & segment.outcomes.keys():
                reported += segment.outcomes[key]
        return predicted, reported

    def _read(self, worker: str, number: int, segment: _Segment, *, is_closed: bool) -> _Segment:
        path = segment_path(self._folder, worker, number)
        size = path.stat().st_size
        if size < segment.offset:
            segment = _Segment()  # its writer has withdrawn a commit that the disk refused
        if size > segment.offset:
            for commit in read_segment(path, segment.offset, CLOSED if is_closed else ACTIVE):
                for entry in commit.entries():
                    if entry.kind == "prediction":
                        segment.predicted.add(entry.id)
                    else:
                        segment.outcomes.setdefault(entry.id, []).append(decode_outcome(entry.body))
                segment.offset = commit.end
        segment.is_done = is_closed
        return segment
