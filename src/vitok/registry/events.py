"""Events that are to be told: one line for each event and address, until it is delivered or given up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from vitok.store.schema import events

WAITING, DELIVERED, DEAD = "waiting", "delivered", "dead"


@dataclass(frozen=True, slots=True)
class Event:
    """One event for one address.

    Args:
        id: The same however often it is written down or delivered.
        kind: Such as `alert`.
        subject: What it is about, such as `version 3`.
        secret: Name of the environment variable that signs it.
        attempts: How often it was tried.
        due: When it is to be tried next.
        state: `waiting`, `delivered` or `dead`.
        error: Why the last attempt failed.
    """

    id: str
    time: datetime
    kind: str
    subject: str
    data: dict[str, Any]
    url: str
    secret: str | None
    attempts: int
    due: datetime
    state: str
    error: str


def _event(row: Row[Any]) -> Event:
    return Event(**row._mapping)


def put(connection: Connection, found: Event) -> None:
    """Writes an event down; one that is there already stays as it is."""
    if connection.execute(select(events.c.id).where(events.c.id == found.id)).first() is None:
        values = {name: getattr(found, name) for name in events.c.keys()}  # noqa: SIM118 - column names
        connection.execute(insert(events).values(**values))


def due(connection: Connection, now: datetime, limit: int) -> list[Event]:
    """Events to be tried now, oldest first."""
    query = select(events).where(events.c.state == WAITING, events.c.due <= now)
    return [
        _event(row) for row in connection.execute(query.order_by(events.c.time, events.c.id).limit(limit))
    ]


def change(connection: Connection, event_id: str, **changes: Any) -> None:
    """Changes columns of an event."""
    connection.execute(update(events).where(events.c.id == event_id).values(**changes))


def find(connection: Connection, states: Sequence[str], limit: int) -> list[Event]:
    """Events in these states, newest first."""
    query = select(events).where(events.c.state.in_(states)).order_by(events.c.time.desc(), events.c.id)
    return [_event(row) for row in connection.execute(query.limit(limit))]


def revive(connection: Connection, now: datetime) -> int:
    """Gives all that were given up another chance.

    Returns:
        How many there were.
    """
    changes = {"state": WAITING, "attempts": 0, "due": now}
    return connection.execute(update(events).where(events.c.state == DEAD).values(**changes)).rowcount
