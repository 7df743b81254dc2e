"""The steps of turns as people see them: when each began and ended, how often it was tried, and what came out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from vitok.store.schema import steps
from vitok.store.writing import begin_writing


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a turn.

    Args:
        ended: None while it runs, or if it was cut off.
        attempts: How often it was begun.
        outputs: What it left behind, by reference: digests, versions, figures.
        message: Why it failed when it was last tried; empty if it did not.
    """

    turn: str
    name: str
    started: datetime
    ended: datetime | None
    attempts: int
    outputs: dict[str, Any]
    message: str


def _step(row: Row[Any]) -> Step:
    return Step(**row._mapping)


def begin(connection: Connection, turn: str, name: str, now: datetime) -> None:
    """A step begins, for the first time or again."""
    begin_writing(connection)
    mine = (steps.c.turn == turn) & (steps.c.name == name)
    row = connection.execute(select(steps.c.attempts).where(mine)).first()
    if row is None:
        values = {"turn": turn, "name": name, "started": now, "attempts": 1, "outputs": {}, "message": ""}
        connection.execute(insert(steps).values(**values))
    else:
        changes = {"started": now, "ended": None, "attempts": row.attempts + 1, "message": ""}
        connection.execute(update(steps).where(mine).values(**changes))


def change(connection: Connection, turn: str, name: str, **changes: Any) -> None:
    """Changes columns of a step."""
    connection.execute(update(steps).where(steps.c.turn == turn, steps.c.name == name).values(**changes))


def of_turn(connection: Connection, turn: str) -> list[Step]:
    """The steps of a turn, in the order in which they began first."""
    found = [_step(row) for row in connection.execute(select(steps).where(steps.c.turn == turn))]
    return sorted(found, key=lambda step: (step.started, step.ended is None))
