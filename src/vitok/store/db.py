"""The state database: SQLite in the project's folder, or Postgres by URL."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from vitok.errors import Fault, UserMistake
from vitok.store.schema import HEAD


def _tune_sqlite(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def open_database(url: str) -> Engine:
    """Opens the database and brings its schema up to date.

    Args:
        url: SQLAlchemy URL, `sqlite:///...` or `postgresql+psycopg://...`.

    Raises:
        UserMistake: the URL cannot be read or the server not reached.
        Fault: the file is no database or was written by a newer Vitok.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed)
    except (ArgumentError, ImportError, OSError) as error:
        if isinstance(error, ImportError):
            what = f"needs a driver that is not installed: {error}"
            raise UserMistake("VITOK_DATABASE_URL", what, "Run: pip install 'vitok[postgres]'") from error
        raise UserMistake(
            "VITOK_DATABASE_URL", f"cannot be used: {error}", "Write a URL such as sqlite:///state.sqlite."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    revision = _revision(engine)
    if revision != HEAD:
        _migrate(engine, revision)
    return engine


def new_database(url: str, revision: str) -> Engine:
    """An empty database with an earlier schema, into which rows of that time can be put.

    Raises:
        Fault: it has another schema already.
    """
    engine = create_engine(make_url(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    found = _revision(engine)
    if found is None:
        _migrate(engine, None, revision)
    elif found != revision:
        what = f"has schema {found}, the archive {revision}"
        raise Fault("VITOK_DATABASE_URL", what, "Name a new and empty database.")
    return engine


def wait_at_most(engine: Engine, seconds: float) -> None:
    """Shortens how long a write waits for another process, where SQLite makes it wait."""
    if engine.dialect.name == "sqlite":
        engine.dispose()
        event.listen(
            engine, "connect", lambda raw, _: raw.execute(f"PRAGMA busy_timeout={seconds * 1000:.0f}")
        )


def _revision(engine: Engine) -> str | None:
    try:
        with engine.connect() as connection:
            if not engine.dialect.has_table(connection, "alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except OperationalError as error:
        raise UserMistake(
            "state database",
            f"cannot be opened: {error.orig}",
            "Check VITOK_DATABASE_URL, the disk, and the server.",
        ) from error
    except DBAPIError as error:
        raise Fault(
            "state database", f"is damaged: {error.orig}", "Restore .vitok/state.sqlite from a backup."
        ) from error


def _migrate(engine: Engine, revision: str | None, target: str = "head") -> None:
    from alembic import command
    from alembic.config import Config

    if revision is not None and revision > HEAD:
        raise Fault("state database", f"has schema {revision}, this Vitok knows {HEAD}", "Update Vitok.")
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    migrating = _one_transaction(engine) if engine.dialect.name == "sqlite" else engine
    with migrating.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, target)


def _one_transaction(engine: Engine) -> Engine:
    """An engine for SQLite whose transactions hold changes of the schema too: all of a migration, or nothing.

    The driver by itself commits before each such change, and a full disk would leave half a schema for ever.
    """
    whole = create_engine(engine.url, poolclass=NullPool)

    def by_hand(connection: Any, record: Any) -> None:
        _tune_sqlite(connection, record)
        connection.isolation_level = None

    event.listen(whole, "connect", by_hand)
    event.listen(whole, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return whole
