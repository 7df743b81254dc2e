"""The charters of a project in the order in which they came into force."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from vitok.errors import NotFound
from vitok.store.schema import charters
from vitok.store.writing import begin_writing


@dataclass(frozen=True, slots=True)
class CharterVersion:
    """A charter as it was in force from a moment on.

    Args:
        number: 1, 2, ...; a charter that comes back after another gets a new number.
        seen: When a turn first ran by it.
        actor: Who ran that turn.
        content: The charter as JSON values.
    """

    number: int
    digest: str
    seen: datetime
    actor: str
    content: dict[str, Any]


def _version(row: Row[Any]) -> CharterVersion:
    return CharterVersion(**row._mapping)


def keep(connection: Connection, now: datetime, actor: str, digest: str, content: dict[str, Any]) -> int:
    """Writes a charter down unless it is the one in force already.

    Returns:
        Its number.
    """
    begin_writing(connection)
    last = latest(connection)
    if last is not None and last.digest == digest:
        return last.number
    values = {"digest": digest, "seen": now, "actor": actor, "content": content}
    result = connection.execute(insert(charters).values(values))
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def latest(connection: Connection) -> CharterVersion | None:
    """The charter in force, None before the first turn."""
    row = connection.execute(select(charters).order_by(charters.c.number.desc()).limit(1)).first()
    return None if row is None else _version(row)


def all_charters(connection: Connection) -> list[CharterVersion]:
    """All charters, oldest first."""
    return [_version(row) for row in connection.execute(select(charters).order_by(charters.c.number))]


def number_of(connection: Connection, digest: str) -> int:
    """The number under which a charter was last in force.

    Raises:
        NotFound: it never was.
    """
    found = connection.execute(
        select(func.max(charters.c.number)).where(charters.c.digest == digest)
    ).scalar()
    if found is None:
        raise NotFound(f"charter {digest[:12]}", "is not known", "See `vitok charter log`.")
    return int(found)


def get(connection: Connection, number: int) -> CharterVersion:
    """One charter.

    Raises:
        NotFound: there is none with this number.
    """
    row = connection.execute(select(charters).where(charters.c.number == number)).first()
    if row is None:
        raise NotFound(f"charter version {number}", "is not known", "See `vitok charter log`.")
    return _version(row)
