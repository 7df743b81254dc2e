"""The state database: SQLite in the project's folder, or Postgres by URL."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from vitok.errors import Fault, UserMistake
from vitok.store.jsonvalues import read_json, write_json
from vitok.store.outages import away, is_outage, told
from vitok.store.schema import HEAD
from vitok.store.writing import begin_writing, write_in_turn

# A server that does not answer must not keep a rollback waiting, nor a cut network a transaction for a quarter hour.
_PATIENCE = {"connect_timeout": 5, "tcp_user_timeout": 20_000}
_JSON: dict[str, Any] = {"json_serializer": write_json, "json_deserializer": read_json}


def _tune_sqlite(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def open_database(url: str, *, may_be_away: bool = False) -> Engine:
    """Opens the database and brings its schema up to date.

    Args:
        url: SQLAlchemy URL, `sqlite:///...` or `postgresql+psycopg://...`.
        may_be_away: Whether a server that cannot be reached now will do: whoever asks it later is told.

    Raises:
        UserMistake: the URL cannot be read or the server not reached.
        Fault: the file is no database or was written by a newer Vitok.
    """
    engine = _engine(url)
    try:
        revision = _revision(engine)
        if revision != HEAD:
            _migrate(engine, revision)
    except BaseException as error:
        engine.dispose()
        if not (may_be_away and is_outage(error)):
            raise
    return engine


def new_database(url: str, revision: str) -> Engine:
    """An empty database with an earlier schema, into which rows of that time can be put.

    Raises:
        UserMistake: the URL cannot be read or the server not reached.
        Fault: it has another schema already.
    """
    engine = _engine(url)
    found = _revision(engine)
    if found is None:
        _migrate(engine, None, revision)
    elif found != revision:
        what = f"has schema {found}, the archive {revision}"
        raise Fault("VITOK_DATABASE_URL", what, "Name a new and empty database.")
    return engine


def _engine(url: str) -> Engine:
    """An engine that does not connect yet; no message has the URL, which may hold a password."""
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise ArgumentError(f"{backend!r} is neither sqlite nor postgresql")
        if backend == "sqlite":
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(parsed, **_JSON)
            event.listen(engine, "connect", _tune_sqlite)
            return engine
        # A pooled connection of before a restart of the server is replaced before anybody meets it.
        waits = {name: value for name, value in _PATIENCE.items() if name not in parsed.query}
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            connect_args=waits,
            **_JSON,
        )
        write_in_turn(engine)
        return engine
    except ImportError as error:
        remedy = "Run: pip install 'vitok[postgres]'"
        raise UserMistake("VITOK_DATABASE_URL", "needs psycopg, which is not installed", remedy) from error
    except ValueError as error:
        # What it says of the port has a part of the password, if that has a `/`.
        remedy = "Write postgresql+psycopg://USER@HOST:PORT/DATABASE, a password in it percent-encoded."
        raise UserMistake("VITOK_DATABASE_URL", "has no port where one must be", remedy) from error
    except (ArgumentError, OSError) as error:
        remedy = "Write a URL such as sqlite:///state.sqlite or postgresql+psycopg://HOST/DATABASE."
        raise UserMistake("VITOK_DATABASE_URL", f"cannot be used: {error}", remedy) from error


def _revision(engine: Engine) -> str | None:
    try:
        with engine.connect() as connection:
            if not engine.dialect.has_table(connection, "alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except OperationalError as error:
        if is_outage(error):
            raise away(error) from error
        remedy = "Check VITOK_DATABASE_URL, the disk, and the server."
        raise UserMistake("state database", f"cannot be opened: {told(error)}", remedy) from error
    except DBAPIError as error:
        if engine.dialect.name == "sqlite":
            remedy = "Restore .vitok/state.sqlite from a backup."
            raise Fault("state database", f"is damaged: {error.orig}", remedy) from error
        raise _not_allowed(error) from error


def _migrate(engine: Engine, revision: str | None, target: str = "head") -> None:
    from alembic import command
    from alembic.config import Config

    if revision is not None and revision > HEAD:
        raise Fault("state database", f"has schema {revision}, this Vitok knows {HEAD}", "Update Vitok.")
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    migrating = _one_transaction(engine) if engine.dialect.name == "sqlite" else engine
    try:
        with migrating.begin() as connection:
            begin_writing(connection)  # of two that come at once, the second finds the work done
            config.attributes["connection"] = connection
            command.upgrade(config, target)
    except ProgrammingError as error:  # of Postgres, to whom not everybody may create tables
        raise _not_allowed(error) from error


def _not_allowed(error: DBAPIError) -> UserMistake:
    remedy = "Let its user own the database, or may create tables and a schema in it."
    return UserMistake("state database", f"cannot be used: {told(error)}", remedy)


def _one_transaction(engine: Engine) -> Engine:
    """An engine for SQLite whose transactions hold changes of the schema too: all of a migration, or nothing.

    The driver by itself commits before each such change, and a full disk would leave half a schema for ever.
    """
    whole = create_engine(engine.url, poolclass=NullPool, **_JSON)

    def by_hand(connection: Any, record: Any) -> None:
        _tune_sqlite(connection, record)
        connection.isolation_level = None

    event.listen(whole, "connect", by_hand)
    event.listen(whole, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return whole
