"""The audit log: each line carries the digest of the one before, so an edit anywhere shows."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from vitok.kernel.clock import format_time
from vitok.kernel.digests import digest_json
from vitok.store.schema import audit
from vitok.store.writing import begin_writing

_GENESIS = "0" * 64


def _digest(line: dict[str, Any]) -> str:
    return digest_json(
        {**{k: v for k, v in line.items() if k != "digest"}, "time": format_time(line["time"])}
    )


def record(
    connection: Connection, now: datetime, actor: str, action: str, subject: str, details: dict[str, Any]
) -> None:
    """Appends one line in the caller's transaction, so that the act and its record are one.

    Args:
        actor: Who did it.
        action: What was done, such as `release`.
        subject: To what, such as `version 2`.
        details: JSON values that explain it. What identifies a person whose data is kept, such as the id of a
            prediction, must not be among them: `keyed_digest` stands for it, and tells nothing once the data is gone.
    """
    begin_writing(connection)
    last = head(connection)
    line = {
        "sequence": 1 if last is None else last[0] + 1,
        "time": now,
        "actor": actor,
        "action": action,
        "subject": subject,
        "details": details,
        "previous": _GENESIS if last is None else last[1],
    }
    connection.execute(insert(audit).values(**line, digest=_digest(line)))


def count(connection: Connection) -> int:
    """How many lines there are."""
    return int(connection.execute(select(func.count()).select_from(audit)).scalar_one())


def head(connection: Connection) -> tuple[int, str] | None:
    """Number and digest of the last line, None of an empty log."""
    row = connection.execute(
        select(audit.c.sequence, audit.c.digest).order_by(audit.c.sequence.desc()).limit(1)
    ).first()
    return None if row is None else (row.sequence, row.digest)


def digest_at(connection: Connection, sequence: int) -> str | None:
    """The digest of a line, None if there is none with this number."""
    found: str | None = connection.execute(
        select(audit.c.digest).where(audit.c.sequence == sequence)
    ).scalar()
    return found


def lines(
    connection: Connection,
    *,
    since: datetime | None = None,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Lines in their order.

    Args:
        since: Only from then on.
        actor: Only of this one.
        action, subject: Only those that have these words in them.
    """
    query = select(audit).order_by(audit.c.sequence)
    if since is not None:
        query = query.where(audit.c.time >= since)
    if actor is not None:
        query = query.where(audit.c.actor == actor)
    if action is not None:
        query = query.where(audit.c.action.icontains(action, autoescape=True))
    if subject is not None:
        query = query.where(audit.c.subject.icontains(subject, autoescape=True))
    for row in connection.execute(query).mappings():
        yield dict(row)


def problems(connection: Connection) -> Iterator[tuple[int, str]]:
    """What is wrong with the log: the number of each line concerned, and what was done to it.

    A line whose own digest does not fit was edited; one that names another line before it than there is was put in,
    moved, or follows one that was replaced. Lines cut off at the end leave no trace here: checkpoints show them.
    """
    number, previous = 0, _GENESIS
    for line in lines(connection):
        expected, number = number + 1, line["sequence"]
        if number > expected:
            gone = str(expected) if number == expected + 1 else f"{expected} to {number - 1}"
            yield expected, f"line {gone} was removed"
        elif number < expected:
            yield number, f"line {number} was put in"
        if _digest(line) != line["digest"]:
            yield number, f"line {number} was edited"
        elif line["previous"] != previous and number == expected:
            yield (
                number,
                f"line {number} does not follow the line before it: one of them was moved or replaced",
            )
        previous = line["digest"]


def verify(connection: Connection) -> int | None:
    """The sequence number of the first line that was altered, or None if the log is whole."""
    found = next(problems(connection), None)
    return None if found is None else found[0]
