"""Questions that gates ask people, and their answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from vitok.charter.expressions import Ask
from vitok.errors import NotFound
from vitok.store.schema import questions


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one bundle.

    Args:
        id: Version and number of the gate, such as `3.2`.
        digest: Of the bundle that the answer is about.
        role: Who is asked.
        answer: `yes`, `no`, or None while it is open.
        actor, reason: Who answered, and why.
    """

    id: str
    asked: datetime
    version: int
    digest: str
    role: str
    question: str
    answer: str | None
    answered: datetime | None
    actor: str | None
    reason: str | None

    def as_ask(self) -> Ask:
        """The gate that asked."""
        return Ask(self.role, self.question)  # type: ignore[arg-type]


def _question(row: Row[Any]) -> Question:
    return Question(**row._mapping)


def ask(connection: Connection, now: datetime, version: int, digest: str, asks: Mapping[int, Ask]) -> None:
    """Writes questions down.

    Args:
        asks: The gates that ask, by their number in the charter.
    """
    for number, gate in asks.items():
        values = {"id": f"{version}.{number}", "asked": now, "version": version, "digest": digest}
        connection.execute(insert(questions).values(**values, role=gate.role, question=gate.question))


def get(connection: Connection, question_id: str) -> Question:
    """One question.

    Raises:
        NotFound: there is none with this id.
    """
    row = connection.execute(select(questions).where(questions.c.id == question_id)).first()
    if row is None:
        known = [question.id for question in all_questions(connection) if question.answer is None]
        remedy = f"Open: {', '.join(known)}." if known else "No question is open."
        raise NotFound(f"question {question_id!r}", "does not exist", remedy)
    return _question(row)


def all_questions(connection: Connection) -> list[Question]:
    """All questions, oldest first."""
    return [
        _question(row)
        for row in connection.execute(select(questions).order_by(questions.c.asked, questions.c.id))
    ]


def answer(
    connection: Connection, question_id: str, now: datetime, *, yes: bool, actor: str, reason: str
) -> None:
    """Writes an answer down."""
    changes = {"answer": "yes" if yes else "no", "answered": now, "actor": actor, "reason": reason}
    connection.execute(update(questions).where(questions.c.id == question_id).values(**changes))
