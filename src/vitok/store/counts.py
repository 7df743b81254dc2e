"""What workers have counted, in a file for each of them: the sums are those of the server."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from vitok.stats.latency import BOUNDS

FOLDER = "metrics"


class Counts(msgspec.Struct):
    """What one worker has counted; keys are label values, joined by a tab."""

    requests: dict[str, int] = {}
    predictions: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    suspicions: dict[str, int] = {}
    buckets: list[int] = []
    seconds: float = 0.0
    unrecorded: int = 0
    missed: int = 0
    memory_bytes: int = 0
    cpu_seconds: float = 0.0
    started: float = 0.0


def add_up(parts: Iterable[Counts]) -> Counts:
    """The counts of several workers as one."""
    total = Counts(buckets=[0] * (len(BOUNDS) + 1))
    for part in parts:
        for name in ("requests", "predictions", "outcomes", "suspicions"):
            sums: dict[str, int] = getattr(total, name)
            for key, count in getattr(part, name).items():
                sums[key] = sums.get(key, 0) + count
        total.buckets = [a + b for a, b in zip(total.buckets, part.buckets, strict=False)]
        total.seconds += part.seconds
        total.unrecorded += part.unrecorded
        total.missed += part.missed
        total.memory_bytes = max(total.memory_bytes, part.memory_bytes)
        total.cpu_seconds += part.cpu_seconds
        if part.started:
            total.started = min(total.started or part.started, part.started)
    return total


def read_counts(folder: Path) -> Counts | None:
    """What all workers since the server's start have counted; None if none has left anything.

    Args:
        folder: The project's `.vitok` folder.
    """
    parts = list(left_counts(folder / FOLDER))
    return add_up(parts) if parts else None


def left_counts(folder: Path, besides: Path | None = None) -> Iterator[Counts]:
    """What workers have left, of living and of dead ones.

    Args:
        folder: Where their files lie.
        besides: A file that is passed over.
    """
    for path in folder.glob("*.json"):
        if path != besides:
            try:
                yield msgspec.json.decode(path.read_bytes(), type=Counts)
            except (OSError, msgspec.DecodeError):
                continue  # being replaced, or of another version of Vitok


def forget_counts(folder: Path) -> None:
    """Removes the files of earlier runs; for the server's start."""
    for path in (folder / FOLDER).glob("*.json"):
        path.unlink(missing_ok=True)
