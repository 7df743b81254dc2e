"""Keys that open the server: what is kept of them, never the keys themselves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from vitok.store.schema import keys


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key.

    Args:
        digest: SHA-256 of the key.
        scopes: What it may ask.
        rate, quota: Requests a second, and a day; None for no limit.
        person: For whom it acts; None for nobody.
    """

    name: str
    digest: str
    scopes: list[str]
    created: datetime
    expires: datetime | None
    rate: float | None
    quota: int | None
    person: str | None = None


def _key(row: Row[Any]) -> StoredKey:
    return StoredKey(**row._mapping)


def add(connection: Connection, key: StoredKey) -> None:
    """Keeps a key."""
    values = {name: getattr(key, name) for name in keys.c.keys()}  # noqa: SIM118 - column names
    connection.execute(insert(keys).values(**values))


def get(connection: Connection, name: str) -> StoredKey | None:
    """The key of a name, None if there is none."""
    row = connection.execute(select(keys).where(keys.c.name == name)).first()
    return None if row is None else _key(row)


def all_keys(connection: Connection) -> list[StoredKey]:
    """All keys by name."""
    return [_key(row) for row in connection.execute(select(keys).order_by(keys.c.name))]


def remove(connection: Connection, name: str) -> None:
    """Forgets a key: it opens nothing any more."""
    connection.execute(delete(keys).where(keys.c.name == name))
