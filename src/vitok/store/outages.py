"""A database server that is away for a while: telling it from other trouble, and waiting for it."""

import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from vitok.errors import UserMistake

T = TypeVar("T")

_HINT = "Is the server running"  # which follows on what the driver says, and which our remedy says better
_TRY_SECONDS = 0.5
_PATIENCE_SECONDS = 600.0  # a keeper goes on with what was given up then
# Of the standard: connection trouble, too few resources; of Postgres: ended by somebody, starting up.
_STATES = ("08", "53", "57P")


def is_outage(error: BaseException | None) -> bool:
    """Whether an error, or what led to it, says that the server is away or has gone; never so with SQLite."""
    while error is not None:
        if isinstance(error, DBAPIError) and _says_so(error):
            return True
        error = error.__cause__
    return False


def _says_so(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError) or not type(error.orig).__module__.startswith("psycopg"):
        return False
    state = getattr(error.orig, "sqlstate", None)
    return state is None or state.startswith(_STATES)


def told(error: BaseException) -> str:
    """What the database says, in one line and without the statement."""
    while error.__cause__ is not None and not isinstance(error, DBAPIError):
        error = error.__cause__
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    said = said.partition(_HINT)[0].removeprefix("connection failed: ")
    return " ".join(said.split()).removesuffix(".")


def away(error: BaseException) -> UserMistake:
    """The mistake to tell when the server is away."""
    remedy = "Start its server, or check VITOK_DATABASE_URL."
    return UserMistake("state database", f"cannot be reached: {told(error)}", remedy)


def patiently(
    engine: Engine,
    work: Callable[[], T],
    say: Callable[[str], None],
    is_over: Callable[[], bool] = lambda: False,
) -> T:
    """Does work that is safe to repeat; while the database is away it waits, and then does it again.

    Args:
        say: Told once that it waits, and once that it goes on.
        is_over: Whether to wait no longer.

    Raises:
        SQLAlchemyError: the database stayed away for ten minutes.
    """
    while True:
        try:
            return work()
        except Exception as error:
            if is_over() or not is_outage(error):
                raise
            say(f"The database is away ({told(error)}); waiting for it.")
            if not _is_back(engine, is_over):
                raise
            say("The database is back; going on.")


def _is_back(engine: Engine, is_over: Callable[[], bool]) -> bool:
    for _ in range(round(_PATIENCE_SECONDS / _TRY_SECONDS)):
        time.sleep(_TRY_SECONDS)
        if is_over():
            return False
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            continue
        return True
    return False
