"""Copies of databases that are in use: files of SQLite as they are, others as rows in JSON lines."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    DateTime,
    Engine,
    MetaData,
    Table,
    Text,
    column,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy import table as table_named
from sqlalchemy.exc import SQLAlchemyError

from vitok.errors import Fault, UserMistake
from vitok.store.schema import Instant, metadata
from vitok.store.writing import begin_writing

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
    with engine.begin() as connection:
        begin_writing(connection)
        taken = [
            name
            for name in metadata.tables
            if name in there.tables and _count(connection, there.tables[name])
        ]
        if taken:
            what = f"has rows in {taken[0]!r} already"
            raise UserMistake("VITOK_DATABASE_URL", what, "Name an empty database, or none.")
        return _insert(connection, there.tables, lines)


def replace_rows(connection: Connection, lines: Iterator[bytes]) -> int:
    """Puts dumped rows in the place of all that there are, in the caller's transaction.

    Args:
        lines: Of the present schema.

    Returns:
        How many.

    Raises:
        Fault: a line is no row of it.
    """
    begin_writing(connection)
    for table in reversed(metadata.sorted_tables):
        connection.execute(delete(table))
    return _insert(connection, metadata.tables, lines)


def _insert(connection: Connection, tables: Mapping[str, Table], lines: Iterator[bytes]) -> int:
    number, waiting = 0, list[dict[str, Any]]()
    table: Table | None = None
    try:
        for line in lines:
            content = json.loads(line)
            of = tables[content["table"]]
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


def workflow_words(engine: Engine) -> Iterator[str]:
    """What the workflow engine remembers of steps, where it does so in a schema beside ours."""
    with engine.connect() as connection:
        if engine.dialect.has_table(connection, "operation_outputs", schema="dbos"):
            kept = table_named("operation_outputs", column("output", Text), schema="dbos")
            yield from (found for found in connection.execute(select(kept)).scalars() if found is not None)


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _rich(table: Table, name: str, value: Any) -> Any:
    if value is None or not isinstance(table.c[name].type, (DateTime, Instant)):
        return value
    return datetime.fromisoformat(value)
