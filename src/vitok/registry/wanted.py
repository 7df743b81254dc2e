"""Turns that people have asked the server for, until the keeper starts them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from vitok.store.schema import turns, wanted_turns
from vitok.store.writing import begin_writing


@dataclass(frozen=True, slots=True)
class Wanted:
    """One turn that is asked for.

    Args:
        key: Told by whoever asks: the same one twice is one turn.
        turn: The turn that came of it, None before.
    """

    number: int
    key: str
    asked: datetime
    actor: str
    reason: str
    turn: str | None

    @property
    def trigger(self) -> str:
        """How its turn says why it started."""
        return f"by API, {self.number}: {self.reason}"[:200]


def _wanted(row: Row[Any]) -> Wanted:
    return Wanted(**row._mapping)


def ask(connection: Connection, key: str, now: datetime, actor: str, reason: str) -> tuple[Wanted, bool]:
    """Asks for a turn, or finds what was asked with this key before; says whether it is new."""
    begin_writing(connection)
    known = connection.execute(select(wanted_turns).where(wanted_turns.c.key == key)).first()
    is_new = known is None
    if known is None:
        connection.execute(insert(wanted_turns).values(key=key, asked=now, actor=actor, reason=reason))
        known = connection.execute(select(wanted_turns).where(wanted_turns.c.key == key)).one()
    return _wanted(known), is_new


def oldest(connection: Connection) -> Wanted | None:
    """What is to be started next; what a crash kept from being noted as started is noted now."""
    query = select(wanted_turns).where(wanted_turns.c.turn.is_(None)).order_by(wanted_turns.c.number)
    for row in connection.execute(query).all():
        found = _wanted(row)
        turn = turn_of(connection, found)
        if turn is None:
            return found
        led_to(connection, found.number, turn)
    return None


def turn_of(connection: Connection, found: Wanted) -> str | None:
    """The turn that was begun for it, None if there is none."""
    query = select(turns.c.id).where(turns.c.trigger == found.trigger)
    return connection.execute(query).scalars().first()


def led_to(connection: Connection, number: int, turn: str) -> None:
    """Names the turn that came of it."""
    connection.execute(update(wanted_turns).where(wanted_turns.c.number == number).values(turn=turn))
