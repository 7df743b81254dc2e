"""Labels that people gave, each with who gave it; the outcome that stands is the journal's matter."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from vitok.store.schema import labels
from vitok.store.writing import begin_writing

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Label:
    """What a person said of a row.

    Args:
        id: Of the prediction.
        value: In the type of the target.
        given: When.
        time: Of the prediction's event, by which it is found again.
        version: That scored it.
    """

    id: str
    person: str
    value: str | int | float | bool
    given: datetime
    time: datetime
    version: int


def _label(row: Row[Any]) -> Label:
    return Label(**row._mapping)


def give(connection: Connection, label: Label) -> Label | None:
    """Writes a label down.

    Returns:
        What the person said of the row before, which stays; None if that was nothing.
    """
    begin_writing(connection)
    mine = (labels.c.id == label.id) & (labels.c.person == label.person)
    row = connection.execute(select(labels).where(mine)).first()
    if row is not None:
        return _label(row)
    values = {name: getattr(label, name) for name in labels.c.keys()}  # noqa: SIM118 - column names
    connection.execute(insert(labels).values(**values))
    return None


def of_ids(connection: Connection, ids: Iterable[str]) -> list[Label]:
    """The labels of some rows, in the order in which they were given."""
    wanted, found = sorted(set(ids)), list[Label]()
    for first in range(0, len(wanted), _AT_ONCE):
        among = labels.c.id.in_(wanted[first : first + _AT_ONCE])
        found += [_label(row) for row in connection.execute(select(labels).where(among))]
    return sorted(found, key=lambda label: (label.given, label.person))


def last_labels(connection: Connection, limit: int) -> list[Label]:
    """The labels that were given last, in their order."""
    newest = labels.c.given.desc(), labels.c.id.desc(), labels.c.person.desc()
    rows = connection.execute(select(labels).order_by(*newest).limit(limit)).all()
    return [_label(row) for row in reversed(rows)]


def given_once(connection: Connection, limit: int) -> list[Label]:
    """Labels of rows that one person alone has labelled, oldest first."""
    once = select(labels.c.id).group_by(labels.c.id).having(func.count() == 1)
    query = select(labels).where(labels.c.id.in_(once)).order_by(labels.c.given, labels.c.id).limit(limit)
    return [_label(row) for row in connection.execute(query)]
