"""The audit log: each line carries the digest of the one before, so an edit anywhere shows."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from vitok.kernel.clock import format_time
from vitok.kernel.digests import digest_json
from vitok.store.schema import audit

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
        details: JSON values that explain it.
    """
    last = connection.execute(
        select(audit.c.sequence, audit.c.digest).order_by(audit.c.sequence.desc()).limit(1)
    ).first()
    line = {
        "sequence": 1 if last is None else last.sequence + 1,
        "time": now,
        "actor": actor,
        "action": action,
        "subject": subject,
        "details": details,
        "previous": _GENESIS if last is None else last.digest,
    }
    connection.execute(insert(audit).values(**line, digest=_digest(line)))


def count(connection: Connection) -> int:
    """How many lines there are."""
    return int(connection.execute(select(func.count()).select_from(audit)).scalar_one())


def verify(connection: Connection) -> int | None:
    """The sequence number of the first line that was altered, or None if the log is whole."""
    previous = _GENESIS
    for number, row in enumerate(connection.execute(select(audit).order_by(audit.c.sequence)).mappings(), 1):
        line = dict(row)
        if line["sequence"] != number or line["previous"] != previous or _digest(line) != line["digest"]:
            return number
        previous = line["digest"]
    return None
