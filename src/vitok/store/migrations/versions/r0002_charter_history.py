"""Charters numbered in the order in which they came into force; logged effort; questions that gates ask people."""

import sqlalchemy as sa
from alembic import op

from vitok.store.schema import Instant, Words

revision = "0002"
down_revision = "0001"


def _charters(*more: str) -> sa.TableClause:
    kept = (sa.column("digest", sa.String), sa.column("seen", Instant), sa.column("content", sa.JSON))
    return sa.table("charters", *kept, *map(sa.column, more))


_KEPT = _charters()


def upgrade() -> None:
    """Renumbers the charters, and adds the two tables."""
    connection = op.get_bind()
    known = connection.execute(sa.select(*_KEPT.c).order_by(_KEPT.c.seen)).mappings().all()
    op.drop_table("charters")
    op.create_table(
        "charters",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("digest", Words(64), nullable=False),
        sa.Column("seen", Instant, nullable=False),
        sa.Column("actor", Words(200), nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    numbered = _charters("number", "actor")
    for number, line in enumerate(known, 1):
        connection.execute(sa.insert(numbered).values(**line, number=number, actor="unknown"))
    op.create_table(
        "efforts",
        sa.Column("id", Words(32), primary_key=True),
        sa.Column("time", Instant, nullable=False),
        sa.Column("actor", Words(200), nullable=False),
        sa.Column("hours", sa.Float, nullable=False),
        sa.Column("experiment", Words(200)),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "questions",
        sa.Column("id", Words(32), primary_key=True),
        sa.Column("asked", Instant, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("digest", Words(64), nullable=False),
        sa.Column("role", Words(40), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", Words(20)),
        sa.Column("answered", Instant),
        sa.Column("actor", Words(200)),
        sa.Column("reason", sa.Text),
    )


def downgrade() -> None:
    """Back to charters by digest."""
    op.drop_table("questions")
    op.drop_table("efforts")
    connection = op.get_bind()
    lines = connection.execute(sa.select(*_KEPT.c).order_by(_KEPT.c.seen.desc())).mappings()
    known = {line["digest"]: dict(line) for line in lines}  # of each the first
    op.drop_table("charters")
    op.create_table(
        "charters",
        sa.Column("digest", Words(64), primary_key=True),
        sa.Column("seen", Instant, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
    )
    for line in known.values():
        connection.execute(sa.insert(_KEPT).values(**line))
