"""Efforts: the person-hours that people report, by experiment."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from vitok.store.schema import efforts


@dataclass(frozen=True, slots=True)
class Effort:
    """One entry of the effort log.

    Args:
        time: When the work was done.
        actor: Who reported it.
        hours: Person-hours.
        experiment: Id of the charter's experiment that it was spent on, or None.
        note: What was done.
    """

    id: str
    time: datetime
    actor: str
    hours: float
    experiment: str | None
    note: str


def _effort(row: Row[Any]) -> Effort:
    return Effort(**row._mapping)


def add(connection: Connection, effort: Effort) -> None:
    """Writes an entry."""
    values = {name: getattr(effort, name) for name in efforts.c.keys()}  # noqa: SIM118 - column names
    connection.execute(insert(efforts).values(**values))


def all_efforts(connection: Connection) -> list[Effort]:
    """All entries, by the time of the work."""
    return [
        _effort(row) for row in connection.execute(select(efforts).order_by(efforts.c.time, efforts.c.id))
    ]
