"""How the journal opens its SQLite files."""

import sqlite3
from pathlib import Path

BUSY_SECONDS = 5.0


def connect(path: Path, durable: bool = False, create: bool = True) -> sqlite3.Connection:
    """Opens a file in WAL mode with explicit transactions.

    Args:
        durable: Whether a commit waits for the disk (survives a power cut) or only for the kernel (survives
            the death of the process).
        create: Whether a missing file is made; otherwise it is an error.
    """
    mode = "rwc" if create else "rw"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Opens an existing file for reading only.

    `mode=ro` would not do: SQLite cannot then make the shared-memory file that WAL needs.
    """
    connection = connect(path, create=False)
    connection.execute("PRAGMA query_only=ON")
    return connection
