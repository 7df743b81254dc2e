"""Kept figures: what takes longer to reckon than a page may, with the moment and the basis of it."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from vitok.kernel.digests import digest_bytes
from vitok.store.schema import alerts, charters, figures, incidents, releases, versions, windows


class Kept(NamedTuple):
    """A figure that was reckoned.

    Args:
        basis: Digest of what it was reckoned of.
        reckoned: When.
        content: The object.
    """

    basis: str
    reckoned: datetime
    content: dict[str, Any]


def basis(connection: Connection) -> str:
    """Digest of what figures are reckoned of: windows with their labels, plans, versions, the charter, alerts and
    incidents."""
    asked = (
        select(func.count(), func.max(windows.c.end), func.sum(windows.c.rows), func.sum(windows.c.labelled)),
        select(func.max(releases.c.epoch)),
        select(func.count(), func.max(versions.c.number)),
        select(func.max(charters.c.number)),
        select(func.count(), func.count(alerts.c.resolved)).select_from(alerts),
        select(func.count(), func.count(incidents.c.recovered)).select_from(incidents),
    )
    return digest_bytes(repr([tuple(connection.execute(one).one()) for one in asked]).encode())


def kept(connection: Connection, name: str) -> Kept | None:
    """What was reckoned last, None if it never was."""
    row = connection.execute(select(figures).where(figures.c.name == name)).first()
    return None if row is None else Kept(row.basis, row.reckoned, row.content)


def ages(connection: Connection) -> dict[str, tuple[str, datetime]]:
    """Basis and moment of each figure, without its content."""
    rows = connection.execute(select(figures.c.name, figures.c.basis, figures.c.reckoned))
    return {row.name: (row.basis, row.reckoned) for row in rows}


def keep(connection: Connection, name: str, found: Kept) -> None:
    """Writes a figure in the place of the one before."""
    connection.execute(delete(figures).where(figures.c.name == name))
    connection.execute(insert(figures).values(name=name, **found._asdict()))
