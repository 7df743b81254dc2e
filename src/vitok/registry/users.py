"""People who log in: what is kept of their passwords, and how often somebody failed."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from vitok.store.schema import failed_logins, users


@dataclass(frozen=True, slots=True)
class User:
    """One person.

    Args:
        hash: Of the password.
        sessions_from: Sessions that began earlier are over.
    """

    name: str
    hash: str
    created: datetime
    sessions_from: datetime


def get(connection: Connection, name: str) -> User | None:
    """The user of a name, None if there is none."""
    row = connection.execute(select(users).where(users.c.name == name)).first()
    return None if row is None else User(**row._mapping)


def all_users(connection: Connection) -> list[User]:
    """All users by name."""
    return [User(**row._mapping) for row in connection.execute(select(users).order_by(users.c.name))]


def add(connection: Connection, name: str, kept: str, now: datetime) -> None:
    """Lets somebody log in."""
    connection.execute(insert(users).values(name=name, hash=kept, created=now, sessions_from=now))


def change_password(connection: Connection, name: str, kept: str, now: datetime) -> None:
    """Keeps another password; sessions that are open end."""
    connection.execute(update(users).where(users.c.name == name).values(hash=kept, sessions_from=now))


def end_sessions(connection: Connection, name: str, now: datetime) -> None:
    """Ends all sessions of somebody."""
    connection.execute(update(users).where(users.c.name == name).values(sessions_from=now))


def remove(connection: Connection, name: str) -> None:
    """Forgets somebody, whose sessions end with it."""
    connection.execute(delete(users).where(users.c.name == name))


def failures(connection: Connection, subject: str) -> tuple[int, datetime] | None:
    """How often somebody failed to log in since the last success, and when last."""
    row = connection.execute(select(failed_logins).where(failed_logins.c.subject == subject)).first()
    return None if row is None else (row.failures, row.last)


def fail(connection: Connection, subject: str, now: datetime, forget_before: datetime) -> None:
    """Counts a failure; what is older than a moment is forgotten."""
    connection.execute(delete(failed_logins).where(failed_logins.c.last < forget_before))
    known = failures(connection, subject)
    if known is None:
        connection.execute(insert(failed_logins).values(subject=subject, failures=1, last=now))
    else:
        changes = {"failures": known[0] + 1, "last": now}
        connection.execute(update(failed_logins).where(failed_logins.c.subject == subject).values(**changes))


def forgive(connection: Connection, subject: str) -> None:
    """Forgets failures."""
    connection.execute(delete(failed_logins).where(failed_logins.c.subject == subject))
