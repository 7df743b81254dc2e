"""One writer at a time, on both databases: what SQLite does by its file lock, Postgres does by a lock of ours."""

from typing import Any

from sqlalchemy import Connection, Engine, event

_WAIT, _WRITER = "vitok_wait_seconds", "vitok_writer"
_WAIT_SECONDS = 10.0
# One lock for each schema, so that projects that share a database by `search_path` do not wait for each other.
_LOCK = (
    "SELECT set_config('lock_timeout', '{milliseconds}', true), "
    "pg_advisory_xact_lock(hashtextextended('vitok ' || current_schema(), 0))"
)


def begin_writing(connection: Connection) -> None:
    """Waits until nobody else writes: what is read from here on still holds when the transaction ends.

    The first statement that writes does the same by itself. Call it where what is written follows from what was read
    before: the next number, the digest of the last line, an answer to what nobody has answered yet.
    """
    if connection.dialect.name == "postgresql":
        _take(connection)
        return
    raw: Any = connection.connection.dbapi_connection
    if not raw.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def write_in_turn(engine: Engine) -> None:
    """Makes transactions on Postgres take the lock with their first statement that writes."""
    event.listen(engine, "before_cursor_execute", _before)


def wait_for_writers(engine: Engine, seconds: float) -> None:
    """How long a write waits for another process."""
    if engine.dialect.name == "sqlite":
        engine.dispose()
        event.listen(
            engine, "connect", lambda raw, _: raw.execute(f"PRAGMA busy_timeout={seconds * 1000:.0f}")
        )
    else:
        engine.update_execution_options(**{_WAIT: seconds})


def _before(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> None:
    if context is not None and (context.isinsert or context.isupdate or context.isdelete):
        _take(connection)


def _take(connection: Connection) -> None:
    """Takes the lock, unless this transaction has it; it ends with the transaction, however that ends."""
    transaction = connection.get_transaction()
    if transaction is None or connection.info.get(_WRITER) is not transaction:
        seconds = connection.get_execution_options().get(_WAIT, _WAIT_SECONDS)
        connection.exec_driver_sql(_LOCK.format(milliseconds=round(seconds * 1000)))
        connection.info[_WRITER] = connection.get_transaction()
