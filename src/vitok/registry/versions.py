"""Versions: each packaged model with its verdict."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from vitok.errors import NotFound
from vitok.store.schema import versions
from vitok.store.writing import begin_writing


@dataclass(frozen=True, slots=True)
class Version:
    """One registered model.

    Args:
        number: 1, 2, ... in the order of registration.
        digest: Of the bundle that was judged; the only one that may be released under this number.
        verdict: `accepted`, `refused`, or `waiting` for people.
        gates: Each gate's figures.
        metrics: Value by name on the test rows.
        summary: Algorithm, data, charter, and what else a reader asks for first.
    """

    number: int
    digest: str
    created: datetime
    turn: str
    verdict: str
    gates: list[dict[str, Any]]
    metrics: dict[str, Any]
    summary: dict[str, Any]


def _version(row: Row[Any]) -> Version:
    return Version(**row._mapping)


def register(
    connection: Connection,
    *,
    digest: str,
    created: datetime,
    turn: str,
    verdict: str,
    gates: list[dict[str, Any]],
    metrics: dict[str, Any],
    summary: dict[str, Any],
) -> Version:
    """Registers a judged bundle; the same bundle again gives the version that it has."""
    begin_writing(connection)
    known = connection.execute(select(versions).where(versions.c.digest == digest)).first()
    if known is not None:
        return _version(known)
    values = {"digest": digest, "created": created, "turn": turn, "verdict": verdict, "gates": gates}
    result = connection.execute(insert(versions).values(**values, metrics=metrics, summary=summary))
    assert result.inserted_primary_key is not None
    return get(connection, int(result.inserted_primary_key[0]))


def of_turn(connection: Connection, turn: str) -> Version | None:
    """The version that a turn has registered, if it has."""
    row = connection.execute(select(versions).where(versions.c.turn == turn)).first()
    return None if row is None else _version(row)


def get(connection: Connection, number: int) -> Version:
    """One version.

    Raises:
        NotFound: there is no such version.
    """
    row = None
    if abs(number) < 2**63:  # what a database can hold, and compare with
        row = connection.execute(select(versions).where(versions.c.number == number)).first()
    if row is None:
        known = [
            str(n)
            for n in connection.execute(select(versions.c.number).order_by(versions.c.number)).scalars()
        ]
        remedy = f"Known versions: {', '.join(known)}." if known else "Make one with `vitok run`."
        raise NotFound(f"version {number}", "does not exist", remedy)
    return _version(row)


def all_versions(connection: Connection) -> list[Version]:
    """All versions, oldest first."""
    return [_version(row) for row in connection.execute(select(versions).order_by(versions.c.number))]


def decide(connection: Connection, number: int, verdict: str, gates: list[dict[str, Any]]) -> None:
    """Writes the verdict that people's answers led to."""
    changes = {"verdict": verdict, "gates": gates}
    connection.execute(update(versions).where(versions.c.number == number).values(**changes))


def copy(connection: Connection, version: Version) -> None:
    """Takes over a version of another database, number and all."""
    values = {name: getattr(version, name) for name in versions.c.keys()}  # noqa: SIM118 - column names
    connection.execute(insert(versions).values(**values))
