"""Releases that wait for people: requests, the agreements that they need, and links by which these are given."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from vitok.errors import NotFound
from vitok.store.schema import approvals, links, requests


@dataclass(frozen=True, slots=True)
class Request:
    """A wish to release a version.

    Args:
        champion: The version in production when people were asked, None if there was none.
        risk: Class of the change.
        author: Who started the turn that made the version.
        actor: Who wants it released.
        strategy, flag: How; None for the charter's way.
        state: `open`, `approved`, `released`, `refused`, `expired`, `superseded`, `withdrawn`.
        reason: Why it ended.
        shown: What people are shown.
        evidence: Digest of it.
    """

    number: int
    version: int
    digest: str
    champion: int | None
    risk: str
    asked: datetime
    author: str
    actor: str
    strategy: str | None
    flag: str | None
    state: str
    ended: datetime | None
    reason: str
    shown: dict[str, Any]
    evidence: str

    @property
    def name(self) -> str:
        """How people call it, such as `r3`."""
        return f"r{self.number}"


@dataclass(frozen=True, slots=True)
class Approval:
    """The agreement of one role.

    Args:
        id: Such as `r3.1`.
        person: To whom the answer was handed over.
        answer: `yes`, `no`, or None while it is open.
    """

    id: str
    request: int
    role: str
    person: str | None
    expires: datetime | None
    answer: str | None
    answered: datetime | None
    actor: str | None
    reason: str


def _request(row: Row[Any]) -> Request:
    return Request(**row._mapping)


def _approval(row: Row[Any]) -> Approval:
    return Approval(**row._mapping)


def ask(
    connection: Connection, values: dict[str, Any], roles: list[str], expires: datetime | None
) -> Request:
    """Writes a request down, with one open approval for each role.

    Args:
        values: Its columns, without number, state, ended and reason.
    """
    result = connection.execute(insert(requests).values(**values, state="open", ended=None, reason=""))
    number = int(result.inserted_primary_key[0])  # type: ignore[index]
    for place, role in enumerate(roles, 1):
        row = {"id": f"r{number}.{place}", "request": number, "role": role, "expires": expires, "reason": ""}
        connection.execute(insert(approvals).values(**row))
    return get(connection, number)


def copy(connection: Connection, request: Request, given: list[Approval]) -> None:
    """Writes down a request of another database, with its approvals."""
    values = {name: getattr(request, name) for name in requests.c.keys()}  # noqa: SIM118 - column names
    connection.execute(insert(requests).values(**values))
    for each in given:
        row = {name: getattr(each, name) for name in approvals.c.keys()}  # noqa: SIM118 - column names
        connection.execute(insert(approvals).values(**row))


def get(connection: Connection, number: int) -> Request:
    """One request.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(select(requests).where(requests.c.number == number)).first()
    if row is None:
        raise NotFound(f"request 'r{number}'", "does not exist", "See `vitok approvals`.")
    return _request(row)


def open_of(connection: Connection, version: int) -> Request | None:
    """The request for a version that still waits or may be released, None if there is none."""
    mine = (requests.c.version == version) & requests.c.state.in_(("open", "approved"))
    row = connection.execute(select(requests).where(mine).order_by(requests.c.number.desc())).first()
    return None if row is None else _request(row)


def all_open(connection: Connection) -> list[Request]:
    """All requests that still wait or may be released, oldest first."""
    mine = requests.c.state.in_(("open", "approved"))
    query = select(requests).where(mine).order_by(requests.c.number)
    return [_request(row) for row in connection.execute(query)]


def all_requests(connection: Connection) -> list[Request]:
    """All requests, newest first."""
    return [_request(row) for row in connection.execute(select(requests).order_by(requests.c.number.desc()))]


def change(connection: Connection, number: int, **changes: Any) -> None:
    """Changes columns of a request."""
    connection.execute(update(requests).where(requests.c.number == number).values(**changes))


def approvals_of(connection: Connection, number: int) -> list[Approval]:
    """The approvals that a request needs, in the order of the charter's roles."""
    query = select(approvals).where(approvals.c.request == number)
    found = [_approval(row) for row in connection.execute(query)]
    return sorted(found, key=lambda each: int(each.id.partition(".")[2]))


def approval(connection: Connection, approval_id: str) -> Approval:
    """One approval.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(select(approvals).where(approvals.c.id == approval_id)).first()
    if row is None:
        raise NotFound(f"approval {approval_id!r}", "does not exist", "See `vitok approvals`.")
    return _approval(row)


def answer(connection: Connection, approval_id: str, **changes: Any) -> bool:
    """Changes columns of an approval.

    Returns:
        Whether it was there.
    """
    mine = approvals.c.id == approval_id
    return connection.execute(update(approvals).where(mine).values(**changes)).rowcount == 1


def is_used(connection: Connection, digest: str) -> bool:
    """Whether a link was used."""
    return connection.execute(select(links.c.digest).where(links.c.digest == digest)).first() is not None


def use_link(connection: Connection, digest: str, approval_id: str, person: str, now: datetime) -> None:
    """Uses a link up; fails if it was used before.

    Args:
        digest: Of the link; the link itself is kept nowhere.
    """
    values = {"digest": digest, "approval": approval_id, "person": person, "used": now}
    connection.execute(insert(links).values(**values))
