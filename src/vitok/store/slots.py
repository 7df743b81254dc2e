"""Cores and memory of one machine, shared by the turns of all projects on it: first come, first served.

Who waits or works holds a ticket, a locked file in a folder that all processes of a user share. The kernel frees the
lock when its holder dies, so a ticket without one is nobody's.
"""

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from vitok.errors import UserMistake
from vitok.store.locks import hold, take

_PAUSE_SECONDS = 0.2
_PATIENCE_SECONDS = 60.0  # for the lock of the queue, which everybody holds for an instant only


@dataclass(frozen=True, slots=True)
class Room:
    """Cores, and memory in megabytes."""

    cores: int
    memory: int

    def minus(self, other: "Room") -> "Room":
        """What is left without the other."""
        return Room(self.cores - other.cores, self.memory - other.memory)

    def holds(self, other: "Room") -> bool:
        """Whether the other fits in."""
        return other.cores <= self.cores and other.memory <= self.memory


@dataclass(frozen=True, slots=True)
class Machine:
    """What turns on this machine may use together.

    Args:
        folder: Where the tickets are; the same for all projects.
        room: Of all turns together.
    """

    folder: Path
    room: Room

    @contextmanager
    def share(self, need: Room, what: str, say: Callable[[str], None]) -> Iterator[None]:
        """Waits until there is room, and holds it for the time of the block.

        Args:
            need: What the work takes.
            what: The work, for those who wait behind it.
            say: Is told once, if it has to wait, for whom.

        Raises:
            UserMistake: there will never be room enough, or the folder cannot be used.
        """
        if not self.room.holds(need):
            wanted = f"needs {need.cores} cores and {need.memory} MB; turns may use {self.room.cores} and "
            wanted += f"{self.room.memory} MB on this machine"
            raise UserMistake(
                what, wanted, "Set train.cores or train.memory, or VITOK_CORES and VITOK_MEMORY."
            )
        path, handle = self._enter(need, what)
        try:
            self._wait(path, need, what, say)
            yield
        finally:
            with suppress(OSError):
                path.unlink()
            os.close(handle)

    def _enter(self, need: Room, what: str) -> tuple[Path, int]:
        """Takes a ticket; the queue is held meanwhile, so that nobody finds one that is not whole, or is passed by."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._queue(what):
                path = self.folder / f"{time.time_ns():020}-{secrets.token_hex(4)}.ticket"
                handle = take(path)
                assert handle is not None
                try:
                    path.write_text(json.dumps({**asdict(need), "what": what}))
                except BaseException:  # or nobody else could read the queue for as long as we live
                    path.unlink()
                    os.close(handle)
                    raise
        except OSError as error:
            problem = f"cannot be used: {error.strerror}"
            raise UserMistake(str(self.folder), problem, "Give another folder by VITOK_SLOTS.") from error
        return path, handle

    def _wait(self, path: Path, need: Room, what: str, say: Callable[[str], None]) -> None:
        has_said = False
        while True:
            with self._queue(what):
                ahead = [each for each in self._tickets() if each[0].name < path.name]
            left = self.room  # who waits ahead is served first, even if this one would fit in now
            for _, room, _ in ahead:
                left = left.minus(room)
            if left.holds(need):
                return
            if not has_said:
                say(f"Waiting for room: {', '.join(name for _, _, name in ahead)} came first.")
                has_said = True
            time.sleep(_PAUSE_SECONDS)

    def _queue(self, what: str) -> AbstractContextManager[None]:
        return hold(self.folder / "queue.lock", what, _PATIENCE_SECONDS)

    def _tickets(self) -> list[tuple[Path, Room, str]]:
        """The tickets of the living, the oldest first."""
        found = []
        for path in sorted(self.folder.glob("*.ticket")):
            handle = take(path)
            if handle is not None:  # its holder is dead, or done
                os.close(handle)
                path.unlink(missing_ok=True)
                continue
            with suppress(FileNotFoundError):  # done just now
                content = json.loads(path.read_text())
                found.append((path, Room(content["cores"], content["memory"]), content["what"]))
        return found
