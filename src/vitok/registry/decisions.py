"""Decisions to start a turn, or not to, each with its reason."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from vitok.errors import NotFound
from vitok.kernel.ids import new_id
from vitok.store.schema import decisions
from vitok.store.writing import begin_writing


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision; the same one made again at the next look is the same line.

    Args:
        time, until: When it was made first, and last.
        looks: How often it was made.
        started: Whether a turn started.
        triggers: What asked for one.
        reason: Why it started, or what held it back.
        turn: The turn that started.
    """

    id: str
    time: datetime
    until: datetime
    looks: int
    started: bool
    triggers: list[str]
    reason: str
    turn: str | None


def _decided(row: Row[Any]) -> Decided:
    return Decided(**row._mapping)


def note(
    connection: Connection, now: datetime, *, started: bool, triggers: tuple[str, ...], reason: str
) -> str:
    """Writes a decision down.

    Returns:
        The line's id.
    """
    begin_writing(connection)
    last = connection.execute(select(decisions).order_by(decisions.c.id.desc()).limit(1)).first()
    if last is not None and not started and not last.started and last.reason == reason:
        change(connection, last.id, until=now, looks=last.looks + 1)
        return str(last.id)
    values = {"id": new_id(now), "time": now, "until": now, "looks": 1, "started": started}
    connection.execute(insert(decisions).values(**values, triggers=list(triggers), reason=reason))
    return str(values["id"])


def change(connection: Connection, decision: str, **changes: Any) -> None:
    """Changes columns of a decision."""
    connection.execute(update(decisions).where(decisions.c.id == decision).values(**changes))


def get(connection: Connection, decision: str) -> Decided:
    """One decision.

    Raises:
        NotFound: there is none with this id.
    """
    row = connection.execute(select(decisions).where(decisions.c.id == decision)).first()
    if row is None:
        raise NotFound(f"decision {decision!r}", "does not exist", "See `vitok turns decisions`.")
    return _decided(row)


def newest(connection: Connection, limit: int) -> list[Decided]:
    """The last decisions, newest first."""
    query = select(decisions).order_by(decisions.c.id.desc()).limit(limit)
    return [_decided(row) for row in connection.execute(query)]
