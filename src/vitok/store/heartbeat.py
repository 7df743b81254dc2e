"""A sign of life of the keeper, and what it knows, for servers that tell it to others."""

from pathlib import Path

import msgspec

from vitok.store.blobs import write_atomically

_FILE = "keeper.json"


class Heartbeat(msgspec.Struct, frozen=True):
    """What the keeper knew when it last looked.

    Args:
        seen: When that was, in seconds of the epoch.
        alerts: How many alerts are open, by kind, severity and state, joined by tabs.
        dead_events: How many events were given up.
    """

    seen: float
    alerts: dict[str, int] = {}
    dead_events: int = 0


def write_heartbeat(folder: Path, found: Heartbeat) -> None:
    """Leaves a sign of life.

    Args:
        folder: The project's `.vitok` folder.

    Raises:
        UserMistake: it cannot be written.
    """
    write_atomically(folder / _FILE, msgspec.json.encode(found))


def read_heartbeat(folder: Path) -> Heartbeat | None:
    """The last sign of life; None if there was none, or it cannot be read."""
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=Heartbeat)
    except (OSError, msgspec.DecodeError):
        return None
