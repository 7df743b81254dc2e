"""What workers suspect of their callers: one line for each caller, pattern and day, for whoever watches."""

import os
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

FOLDER = "suspected"
Pattern = Literal["unlike_training", "near_threshold", "query_budget"]
_KEPT_FILES = 14


class Suspicion(msgspec.Struct, frozen=True):
    """A caller who asks as somebody would who copies the model.

    Args:
        time: When it was noticed.
        caller: Name of the key, or of the token's subject.
        pattern: What was noticed.
        rows: Rows of the caller that were looked at since the day or the model began; of `query_budget`, all of
            the day.
        hits: Those among them that fit the pattern.
        tolerated: Share of them that would have been tolerated; of `query_budget`, the budget.
    """

    time: datetime
    caller: str
    pattern: Pattern
    rows: int
    hits: int
    tolerated: float


def append_suspicion(folder: Path, found: Suspicion) -> None:
    """Writes a suspicion down, in one write, so that workers do not mix their lines.

    Args:
        folder: The project's `.vitok` folder.

    Raises:
        OSError: it cannot be written.
    """
    path = folder / FOLDER / f"{found.time:%Y-%m-%d}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, msgspec.json.encode(found) + b"\n")
    finally:
        os.close(handle)


def read_suspicions(folder: Path) -> list[Suspicion]:
    """The suspicions of the last days, oldest first; files beyond a fortnight are removed."""
    paths = sorted((folder / FOLDER).glob("*.jsonl"))
    for path in paths[:-_KEPT_FILES]:
        path.unlink(missing_ok=True)
    found = []
    for path in paths[-_KEPT_FILES:]:
        for line in path.read_bytes().splitlines():
            try:
                found.append(msgspec.json.decode(line, type=Suspicion))
            except msgspec.DecodeError:
                continue  # half a line, of a disk that was full
    return found
