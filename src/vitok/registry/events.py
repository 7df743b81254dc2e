"""Events that are to be told: one line for each event and address, until it is delivered or given up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from vitok.store.schema import events
from vitok.store.writing import begin_writing

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
    begin_writing(connection)
    if connection.execute(select(events.c.id).where(events.c.id == found.id)).first() is None:
        values = {name: getattr(found, name) for name in events.c.keys()}  # noqa: SIM118 - column names
        connection.execute(insert(events).values(**values))


def claim_due(connection: Connection, now: datetime, until: datetime, limit: int) -> dict[str, list[Event]]:
    """Takes events that are to be tried now, so that no other process tries them meanwhile.

    Args:
        until: When they are due again if whoever took them dies.
        limit: How many for each address, at most; so one that is away keeps no other waiting.

    Returns:
        By address, oldest first.
    """
    is_due = (events.c.state == WAITING) & (events.c.due <= now)
    found: dict[str, list[Event]] = {}
    for url in connection.execute(select(events.c.url).where(is_due).distinct()).scalars().all():
        query = select(events).where(is_due, events.c.url == url).order_by(events.c.time, events.c.id)
        for event in map(_event, connection.execute(query.limit(limit)).all()):
            mine = (events.c.id == event.id) & (events.c.due == event.due) & (events.c.state == WAITING)
            if connection.execute(update(events).where(mine).values(due=until)).rowcount:
                found.setdefault(url, []).append(event)
    return found


def last_told(connection: Connection, kind: str, subject: str, url: str) -> datetime | None:
    """The time of the last event about a subject for an address, None if there was none."""
    query = select(func.max(events.c.time)).where(
        events.c.kind == kind, events.c.subject == subject, events.c.url == url
    )
    found: datetime | None = connection.execute(query).scalar()
    return found


def change(connection: Connection, event_id: str, **changes: Any) -> None:
    """Changes columns of an event."""
    connection.execute(update(events).where(events.c.id == event_id).values(**changes))


def find(connection: Connection, states: Sequence[str], limit: int) -> list[Event]:
    """Events in these states, newest first."""
    query = select(events).where(events.c.state.in_(states)).order_by(events.c.time.desc(), events.c.id)
    return [_event(row) for row in connection.execute(query.limit(limit))]


def about(connection: Connection, subject: str) -> list[Event]:
    """All events about a subject, oldest first."""
    query = select(events).where(events.c.subject == subject).order_by(events.c.time, events.c.id)
    return [_event(row) for row in connection.execute(query)]


def count_dead(connection: Connection) -> int:
    """How many events were given up."""
    query = select(func.count()).select_from(events).where(events.c.state == DEAD)
    return int(connection.execute(query).scalar_one())


def revive(connection: Connection, now: datetime) -> int:
    """Gives all that were given up another chance.

    Returns:
        How many there were.
    """
    changes = {"state": WAITING, "attempts": 0, "due": now}
    return connection.execute(update(events).where(events.c.state == DEAD).values(**changes)).rowcount
