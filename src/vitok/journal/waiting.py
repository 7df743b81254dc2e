"""How much of the journal waits to be moved into the lake."""

from pathlib import Path

from vitok.journal.segments import read_mark, segment_path, spools


def waiting_bytes(folder: Path) -> int:
    """How many bytes of the journal wait to be moved into the lake.

    Args:
        folder: Where the spools lie.
    """
    total = 0
    for worker, numbers in spools(folder).items():
        mark = read_mark(folder, worker)
        for number in numbers:
            if number >= mark.segment:
                try:
                    size = segment_path(folder, worker, number).stat().st_size
                except OSError:
                    continue  # moved meanwhile
                total += size - (mark.offset if number == mark.segment else 0)
    return total
