"""The files of a spool: numbered segments of commits, and a mark of how much of them was moved.

Only the segment with the highest number is written to; all others are closed. A commit that is not whole can
therefore be the work of a moment in the last segment, and nothing but damage in any other.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from vitok.errors import Fault
from vitok.journal.commits import Commit, Tail, read_commit

CLOSED: tuple[Tail, ...] = ()
ACTIVE: tuple[Tail, ...] = ("torn", "damaged")  # its writer may be in the middle
ABANDONED: tuple[Tail, ...] = ("torn",)  # its writer died in the middle, before it answered
_MARK = struct.Struct("<QQQ")
_CHECK = struct.Struct("<I")


class Position(NamedTuple):
    """How far a spool was read: through which record, and where the commit after it begins."""

    seq: int = 0
    segment: int = 0
    offset: int = 0


def segment_path(folder: Path, worker: str, number: int) -> Path:
    """Where a segment of a worker's spool lies."""
    return folder / f"spool-{worker}.{number}.log"


def mark_path(folder: Path, worker: str) -> Path:
    """Where the mover notes how much of a spool it has moved."""
    return folder / f"spool-{worker}.moved"


def lock_path(folder: Path, worker: str) -> Path:
    """Where the lock lies that a living worker holds."""
    return folder / f"spool-{worker}.lock"


def spools(folder: Path) -> dict[str, list[int]]:
    """All spools of a journal, of living and of dead workers: the numbers of their segments by worker."""
    found: dict[str, list[int]] = {}
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            if name.startswith("spool-") and name.endswith(".log"):
                worker, _, number = name[len("spool-") : -len(".log")].rpartition(".")
                if number.isdecimal():
                    found.setdefault(worker, []).append(int(number))
    return {worker: sorted(found[worker]) for worker in sorted(found)}


def segments(folder: Path, worker: str) -> list[int]:
    """The numbers of a worker's segments, oldest first."""
    return spools(folder).get(worker, [])


def read_segment(path: Path, offset: int, tolerated: tuple[Tail, ...]) -> Iterator[Commit]:
    """The whole commits of a segment from an offset on.

    Args:
        tolerated: How the segment may end before its end: `CLOSED`, `ACTIVE` or `ABANDONED`.

    Raises:
        Fault: it ends otherwise, or is damaged; the message names file and offset.
        OSError: it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        data, place = file.readall(), 0
    while isinstance(commit := read_commit(data, place), Commit):
        place = commit.end
        yield commit._replace(end=offset + place)
    if commit != "end" and commit not in tolerated:
        raise Fault(
            f"journal {path.name}",
            f"is {commit} at byte {offset + place}; what follows cannot be read",
            "Restore the file from a backup, or move it out of .vitok/journal to go on without the rest.",
        )


def read_from(
    folder: Path, worker: str, mark: Position, tail: tuple[Tail, ...]
) -> Iterator[tuple[int, Commit | None]]:
    """The commits of a spool after a position, each with the number of its segment.

    A segment that was read to its end gives a last pair without a commit.

    Args:
        tail: How the last segment may end: `ACTIVE` or `ABANDONED`.
    """
    numbers = segments(folder, worker)
    for number in numbers:
        if number >= mark.segment:
            start = mark.offset if number == mark.segment else 0
            tolerated = tail if number == numbers[-1] else CLOSED
            for commit in read_segment(segment_path(folder, worker, number), start, tolerated):
                yield number, commit
        if number != numbers[-1]:
            yield number, None


def verify(folder: Path) -> None:
    """Reads all spools of a journal, for whoever wants to know whether they are whole.

    Raises:
        Fault: one is damaged.
        OSError: one cannot be read.
    """
    for worker in spools(folder):
        with suppress(FileNotFoundError):  # moved meanwhile
            for _ in read_from(folder, worker, Position(), ABANDONED):
                pass


def read_mark(folder: Path, worker: str) -> Position:
    """How much of a spool was moved; nothing, if the mark is missing or damaged: moving again does no harm."""
    try:
        data = mark_path(folder, worker).read_bytes()
    except FileNotFoundError:
        return Position()
    if len(data) != _MARK.size + _CHECK.size or _CHECK.unpack_from(data, _MARK.size)[0] != zlib.crc32(
        data[: _MARK.size]
    ):
        return Position()
    return Position(*_MARK.unpack_from(data))


def write_mark(folder: Path, worker: str, mark: Position) -> None:
    """Notes how much of a spool was moved."""
    data = _MARK.pack(*mark)
    file = os.open(mark_path(folder, worker), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(file, data + _CHECK.pack(zlib.crc32(data)), 0)
    finally:
        os.close(file)
