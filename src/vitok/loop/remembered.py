"""Fits that another replay has made already: found again by the digest of data, code, charter and parameters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from vitok.errors import VitokError
from vitok.store.blobs import write_atomically

T = TypeVar("T")


class Remembered:
    """Runs each step, but takes those with a key from where an equal one has left its result.

    Args:
        folder: Where results are kept, by key.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def do(
        self,
        name: str,
        work: Callable[[], T],
        store: Callable[[T], dict[str, Any]],
        load: Callable[[dict[str, Any]], T],
        key: str | None = None,
    ) -> T:
        """Runs the step, or takes what an equal one gave."""
        if key is None:
            return work()
        path = self._folder / f"{key}.json"
        try:
            found = load(msgspec.json.decode(path.read_bytes()))
        except (OSError, msgspec.DecodeError, VitokError):  # not there, or damaged: it is made anew
            made = work()
            write_atomically(path, msgspec.json.encode(store(made)))
            return made
        return found
