"""Copies of databases that are in use: files of SQLite as they are, others as rows in JSON lines."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, DateTime, Engine, MetaData, Table, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from vitok.errors import Fault, UserMistake
from vitok.store.schema import metadata

_AT_ONCE = 500


def copy_sqlite(source: Path, target: Path) -> None:
    """Copies a database as it is at one moment, whoever writes to it meanwhile.

    Raises:
        Fault: it is damaged.
        UserMistake: the disk is full.
    """
    try:
        with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(target)) as here:
            there.backup(here)
    except sqlite3.DatabaseError as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise UserMistake(str(target), f"cannot be written: {error}", "Free disk space.") from error
        remedy = "`vitok doctor` says more; `vitok restore` takes an earlier archive."
        raise Fault(str(source), f"cannot be copied: {error}", remedy) from error


def dump_rows(connection: Connection) -> Iterator[bytes]:
    """All rows of our tables as JSON lines `{"table", "row"}`; what the connection sees is of one moment.

    Args:
        connection: On Postgres with the isolation level `REPEATABLE READ`.
    """
    for table in metadata.sorted_tables:
        for row in connection.execute(select(table).order_by(*table.primary_key)).mappings():
            values = {name: _plain(value) for name, value in row.items()}
            yield json.dumps({"table": table.name, "row": values}).encode() + b"\n"


def load_rows(engine: Engine, lines: Iterator[bytes]) -> int:
    """Puts dumped rows into a database whose tables are empty; all of them or none.

    Args:
        engine: With the schema of the dump, which may be older than this Vitok's.

    Returns:
        How many.

    Raises:
        UserMistake: the database has rows already.
        Fault: a line is no row of it.
    """
    there = MetaData()
    there.reflect(engine)
    taken = [name for name in metadata.tables if name in there.tables and _count(engine, there.tables[name])]
    if taken:
        what = f"has rows in {taken[0]!r} already"
        raise UserMistake("VITOK_DATABASE_URL", what, "Name an empty database, or none.")
    number, waiting = 0, list[dict[str, Any]]()
    table: Table | None = None
    try:
        with engine.begin() as connection:
            for line in lines:
                content = json.loads(line)
                of = there.tables[content["table"]]
                if table is not None and (of is not table or len(waiting) >= _AT_ONCE):
                    connection.execute(insert(table), waiting)
                    waiting = []
                table = of
                waiting.append({name: _rich(of, name, value) for name, value in content["row"].items()})
                number += 1
            if table is not None and waiting:
                connection.execute(insert(table), waiting)
    except (KeyError, ValueError, TypeError, SQLAlchemyError) as error:
        raise Fault(
            f"row {number + 1}", f"cannot be put into the database: {error}", "Use another archive."
        ) from error
    return number


def _count(engine: Engine, table: Table) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _rich(table: Table, name: str, value: Any) -> Any:
    if value is None or not isinstance(table.c[name].type, DateTime):
        return value
    return datetime.fromisoformat(value)
