"""Fits that another replay has made already: found again by the digest of data, code, charter and parameters."""

from pathlib import Path
from typing import TypeVar

import msgspec

from vitok.errors import VitokError
from vitok.loop.durable import Step
from vitok.store.blobs import write_atomically

T = TypeVar("T")


class Remembered:
    """Runs each step, but takes those with a key from where an equal one has left its result.

    Args:
        folder: Where results are kept, by key.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def do(self, step: Step[T]) -> T:
        """Runs the step, or takes what an equal one gave."""
        if step.key is None:
            return step.work()
        path = self._folder / f"{step.key}.json"
        try:
            return step.load(msgspec.json.decode(path.read_bytes()))
        except (OSError, msgspec.DecodeError, VitokError):  # not there, or damaged: it is made anew
            made = step.work()
            write_atomically(path, msgspec.json.encode(step.store(made)))
            return made
