"""Turns: one line for each pass of the loop, from its start on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from vitok.store.schema import turns


@dataclass(frozen=True, slots=True)
class Turn:
    """One pass of the loop.

    Args:
        as_of: What was known by then could be used.
        trigger: Why it started.
        stage: Where it is, or where it ended.
        state: `running`, `accepted`, `refused`, `waiting` (for people), `failed`, or `interrupted`.
        version: The version that it registered.
        seconds: Time of each finished stage.
        message: How it ended, in one sentence.
    """

    id: str
    started: datetime
    ended: datetime | None
    as_of: datetime
    trigger: str
    stage: str
    state: str
    version: int | None
    charter: str
    data: dict[str, Any]
    seconds: dict[str, float]
    message: str


def _turn(row: Row[Any]) -> Turn:
    return Turn(**row._mapping)


def begin(
    connection: Connection,
    turn_id: str,
    *,
    now: datetime,
    as_of: datetime,
    trigger: str,
    charter: str,
) -> None:
    """Writes the turn's line."""
    connection.execute(
        insert(turns).values(
            id=turn_id,
            started=now,
            as_of=as_of,
            trigger=trigger,
            stage="start",
            state="running",
            charter=charter,
            data={},
            seconds={},
            message="",
        )
    )


def advance(connection: Connection, turn_id: str, **changes: Any) -> None:
    """Changes columns of a turn's line."""
    connection.execute(update(turns).where(turns.c.id == turn_id).values(**changes))


def mark_interrupted(connection: Connection, now: datetime) -> int:
    """Marks turns that still say `running`; call it only while holding the turn lock, when none can be.

    Returns:
        How many there were.
    """
    message = "the process ended before the turn did; nothing was registered"
    result = connection.execute(
        update(turns)
        .where(turns.c.state == "running")
        .values(state="interrupted", ended=now, message=message)
    )
    return result.rowcount


def last(connection: Connection) -> Turn | None:
    """The turn that started last."""
    row = connection.execute(
        select(turns).order_by(turns.c.started.desc(), turns.c.id.desc()).limit(1)
    ).first()
    return None if row is None else _turn(row)


def all_turns(connection: Connection) -> list[Turn]:
    """All turns, oldest first."""
    return [_turn(row) for row in connection.execute(select(turns).order_by(turns.c.started, turns.c.id))]
