"""Turns: one line for each pass of the loop, from its start on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from vitok.errors import NotFound
from vitok.store.schema import turns
from vitok.store.writing import begin_writing


@dataclass(frozen=True, slots=True)
class Turn:
    """One pass of the loop.

    Args:
        as_of: What was known by then could be used.
        trigger: Why it started.
        stage: Where it is, or where it ended.
        state: `running`, `accepted`, `refused`, `waiting` (for people), `failed`, `interrupted`, `cancelled`.
        version: The version that it registered.
        seconds: Time of each finished stage.
        message: How it ended, in one sentence.
        number: 1, 2, ... in the order of their making.
        actor: Who or what started it.
        quick: Whether it searches no parameters.
        pins: What it works by, whatever changes meanwhile: digests of files, and the version of Vitok.
        cancel: Who asked it to end, None if nobody did.
        settled: Whether what follows from its end is done: an accepted version released, or people asked.
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
    number: int
    actor: str
    quick: bool
    pins: dict[str, Any]
    cancel: str | None
    settled: bool

    @property
    def can_go_on(self) -> bool:
        """Whether it ended before its work was done."""
        return self.state in ("running", "failed", "interrupted", "cancelled")


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
    actor: str = "",
    quick: bool = False,
    pins: dict[str, Any] | None = None,
) -> int:
    """Writes the turn's line.

    Returns:
        Its number.
    """
    begin_writing(connection)
    number = int(connection.execute(select(func.coalesce(func.max(turns.c.number), 0))).scalar_one()) + 1
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
            number=number,
            actor=actor,
            quick=quick,
            pins=pins or {},
            settled=False,
        )
    )
    return number


def advance(connection: Connection, turn_id: str, **changes: Any) -> None:
    """Changes columns of a turn's line."""
    connection.execute(update(turns).where(turns.c.id == turn_id).values(**changes))


def mark_interrupted(connection: Connection, now: datetime, message: str) -> list[Turn]:
    """Marks turns that still say `running`; call it only while holding the turn lock, when none can be.

    Returns:
        Those that there were, oldest first, as they stood.
    """
    found = in_state(connection, "running")
    for each in found:
        advance(connection, each.id, state="interrupted", ended=now, message=message)
    return found


def in_state(connection: Connection, state: str) -> list[Turn]:
    """The turns in a state, oldest first."""
    query = select(turns).where(turns.c.state == state).order_by(turns.c.number)
    return [_turn(row) for row in connection.execute(query)]


def get(connection: Connection, name: str) -> Turn:
    """A turn by its number or its id.

    Raises:
        NotFound: there is none.
    """
    mine = turns.c.number == int(name) if name.isdecimal() and len(name) < 10 else turns.c.id == name
    row = connection.execute(select(turns).where(mine)).first()
    if row is None:
        newest = last(connection)
        remedy = f"The newest is {newest.number}; see `vitok turns`." if newest else "No turn has run yet."
        raise NotFound(f"turn {name!r}", "does not exist", remedy)
    return _turn(row)


def last(connection: Connection) -> Turn | None:
    """The turn that started last."""
    row = connection.execute(select(turns).order_by(turns.c.number.desc()).limit(1)).first()
    return None if row is None else _turn(row)


def all_turns(connection: Connection) -> list[Turn]:
    """All turns, oldest first."""
    return [_turn(row) for row in connection.execute(select(turns).order_by(turns.c.number))]
