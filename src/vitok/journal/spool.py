"""The spool: append-only files of one worker, written before anything is answered.

A worker holds a lock on `spool-<worker>.lock` as long as it lives, so that the mover can tell an empty spool
that is between two requests from one whose worker is gone.
"""

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from vitok.errors import Busy, Fault
from vitok.journal.commits import Entry, Tail, encode_commit, seal
from vitok.journal.records import Record
from vitok.journal.segments import (
    ABANDONED,
    ACTIVE,
    Position,
    lock_path,
    mark_path,
    read_from,
    read_mark,
    segment_path,
    segments,
    write_mark,
)
from vitok.store.locks import take

# A living worker keeps at most this much after all of it was moved; a reader takes a segment in one piece.
SEGMENT_BYTES = 8 * 2**20


class Spool:
    """A worker's own part of the journal; safe to use from several threads.

    Args:
        folder: The journal's folder.
        worker: Id of the worker, unique for each start of a process.
        durable: Whether each commit waits for the disk (survives a power cut) or only for the kernel (survives
            the death of the process).

    Raises:
        Busy: a living worker has this id.
        Fault: the file cannot be opened.
    """

    def __init__(self, folder: Path, worker: str, durable: bool = False) -> None:
        self.worker = worker
        self.durable = durable
        self._folder = folder
        self._guard = threading.Lock()
        self._file = -1
        self._number = 1
        self._end = 0
        self._is_listed = False  # whether the folder's entry of the file has reached the disk
        self._rest: Literal["", "cut", "unsure"] = ""  # what a failed commit left behind `_end`
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = take(lock_path(folder, worker))
            if lock is None:
                raise Busy(str(self.path), "a living worker has this spool", "Give each worker its own id.")
            self._lock = lock
            try:
                self._next, self._number = _resume(folder, worker)
                self._begin_segment(self._number)
            except BaseException:
                os.close(lock)
                raise
        except OSError as error:
            raise self._fault(error) from error

    @property
    def path(self) -> Path:
        """The file that is being written."""
        return segment_path(self._folder, self.worker, self._number)

    def append(self, records: Sequence[Record]) -> None:
        """Commits records with one write; when it returns they survive the death of the process.

        Raises:
            Fault: the disk is full, or the file cannot be written; nothing of it was kept.
        """
        if not records:
            return
        commit = encode_commit(records)
        with self._guard:
            try:
                self._clear_rest()
                if self._end and self._end + len(commit) > SEGMENT_BYTES:
                    self._begin_segment(self._number + 1)
                # A number is used once, also if its commit fails: a reader may have seen it.
                seal(commit, self._next)
                self._next += len(records)
                self._write(commit)
            except OSError as error:
                with suppress(OSError):  # else the next commit tries it again
                    self._clear_rest()
                raise self._fault(error) from error

    def read_after(self, seq: int, limit: int) -> list[Entry]:
        """Records after a sequence number that were not dropped, oldest first."""
        return read_after(self._folder, self.worker, seq, limit)

    def drop_through(self, seq: int) -> None:
        """Drops records up to and including a sequence number."""
        drop_through(self._folder, self.worker, seq)

    def close(self) -> None:
        """Gives the file and the worker's lock back."""
        with self._guard:
            file, self._file = self._file, -1
            os.close(file)
        os.close(self._lock)

    def _write(self, commit: bytearray) -> None:
        self._rest = "unsure"
        view, written = memoryview(commit), 0
        try:
            while written < len(commit):  # a second round only tells why the first one was cut short
                written += os.pwrite(self._file, view[written:], self._end + written)
        except OSError:
            self._rest = "cut"
            raise
        if self.durable:
            self._sync()
        self._end += len(commit)
        self._rest = ""

    def _sync(self) -> None:
        if not self._is_listed:
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self._is_listed = True
        os.fdatasync(self._file)

    def _clear_rest(self) -> None:
        """Cuts off what a failed commit left.

        If it was whole, a reader may already be behind it: what comes next goes into a segment of its own.
        """
        if self._rest:
            os.ftruncate(self._file, self._end)
            if self._rest == "unsure":
                self._begin_segment(self._number + 1)
            self._rest = ""

    def _begin_segment(self, number: int) -> None:
        path = segment_path(self._folder, self.worker, number)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        # From here on readers take the segment before for closed.
        before, self._file, self._number, self._end = self._file, file, number, 0
        self._is_listed = False
        if before >= 0:
            os.close(before)

    def _fault(self, error: Exception) -> Fault:
        return Fault(
            f"journal {self.path.name}",
            f"cannot be written: {error}",
            "Free disk space in the project's .vitok/journal, or restart the worker if the file is damaged.",
        )


def read_after(
    folder: Path, worker: str, seq: int, limit: int, tail: tuple[Tail, ...] = ACTIVE
) -> list[Entry]:
    """Records of a spool after a sequence number that were not dropped, oldest first.

    Args:
        tail: How its last segment may end: `ACTIVE` or `ABANDONED`.

    Raises:
        Fault: the very next one is damaged; of those before a damage no one is held back.
    """
    mark, found = read_mark(folder, worker), list[Entry]()
    done = max(seq, mark.seq)
    try:
        for _, commit in read_from(folder, worker, mark, tail):
            if commit is not None and commit.last > done:
                found += [entry for entry in commit.entries() if entry.seq > done]
            if len(found) >= limit:
                break
    except Fault:
        if not found:
            raise
    return found[:limit]


def drop_through(folder: Path, worker: str, seq: int) -> None:
    """Drops records up to a sequence number: closed segments without others go, the rest is marked as dropped."""
    mark = read_mark(folder, worker)
    reached, spent = mark, []
    with suppress(Fault):  # what comes after it is not dropped
        for number, commit in read_from(folder, worker, mark, ACTIVE):
            if commit is None:
                spent.append(number)
            elif commit.last <= seq:
                reached = Position(commit.last, number, commit.end)
            else:
                break
    for number in spent:  # first, because it needs no space
        segment_path(folder, worker, number).unlink(missing_ok=True)
    write_mark(folder, worker, reached._replace(seq=max(seq, mark.seq)))


def remove_if_dead(folder: Path, worker: str) -> bool:
    """Removes the empty spool of a worker that is gone; a living worker's, or one with records, stays.

    The worker takes its lock before it makes a file and keeps it until it dies, and no worker ever takes
    the id of another: who gets the lock of an existing spool knows that nobody will write to it again.

    Raises:
        Fault: the spool is damaged; it stays.
    """
    handle = take(lock_path(folder, worker))
    if handle is None:
        return False
    try:
        if read_after(folder, worker, 0, 1, ABANDONED):
            return False
        mark_path(folder, worker).unlink(missing_ok=True)
        lock_path(folder, worker).unlink(missing_ok=True)
        for number in segments(folder, worker):  # last, so that a mover that dies here finds the rest again
            segment_path(folder, worker, number).unlink(missing_ok=True)
        return True
    finally:
        os.close(handle)


def _resume(folder: Path, worker: str) -> tuple[int, int]:
    """The next record's number and the next segment's, after those of an earlier process with this id.

    What that process left of a commit that it did not finish is cut off, because its segment is closed now.
    """
    mark, numbers = read_mark(folder, worker), segments(folder, worker)
    seq, ends = mark.seq, dict.fromkeys(numbers, 0)
    if numbers and mark.segment in ends:
        ends[mark.segment] = mark.offset
    for number, commit in read_from(folder, worker, mark, ABANDONED):
        if commit is not None:
            seq, ends[number] = max(seq, commit.last), commit.end
    if numbers and (path := segment_path(folder, worker, numbers[-1])).stat().st_size > ends[numbers[-1]]:
        os.truncate(path, ends[numbers[-1]])
    return seq + 1, max([mark.segment, *numbers], default=0) + 1
