"""Copies of the spools of a journal that goes on being written."""

import shutil
from contextlib import suppress
from pathlib import Path

from vitok.journal.segments import ACTIVE, mark_path, read_segment, segment_path, spools


def copy_spools(folder: Path, target: Path) -> None:
    """Copies all spools; call it while nothing is moved out of them.

    Of a segment that is being written, whole commits are taken: what was acknowledged before, and no half of what is
    being written. A damaged segment that is closed is copied as it is.

    Args:
        folder: The journal's folder.
        target: A new folder.
    """
    target.mkdir(parents=True)
    for worker, numbers in spools(folder).items():
        for number in numbers:
            path = segment_path(folder, worker, number)
            copied = target / path.name
            shutil.copyfile(path, copied)
            if number == numbers[-1]:
                with copied.open("r+b") as file:
                    file.truncate(_whole(copied))
        with suppress(FileNotFoundError):
            shutil.copyfile(mark_path(folder, worker), mark_path(target, worker))


def _whole(path: Path) -> int:
    """How many bytes of a segment are whole commits."""
    end = 0
    for commit in read_segment(path, 0, ACTIVE):
        end = commit.end
    return end
