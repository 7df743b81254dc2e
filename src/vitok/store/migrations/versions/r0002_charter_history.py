"""Charters numbered in the order in which they came into force; logged effort; questions that gates ask people."""

import sqlalchemy as sa
from alembic import op

from vitok.store.schema import Instant

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Renumbers the charters, and adds the two tables."""
    connection = op.get_bind()
    known = connection.execute(sa.text("SELECT digest, seen, content FROM charters ORDER BY seen")).all()
    op.drop_table("charters")
    op.create_table(
        "charters",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("seen", Instant, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    for digest, seen, content in known:
        line = {"digest": digest, "seen": seen, "actor": "unknown", "content": content}
        connection.execute(
            sa.text(
                "INSERT INTO charters (digest, seen, actor, content) VALUES (:digest, :seen, :actor, :content)"
            ),
            line,
        )
    op.create_table(
        "efforts",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("time", Instant, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("hours", sa.Float, nullable=False),
        sa.Column("experiment", sa.String(200)),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "questions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("asked", Instant, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("role", sa.String(40), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.String(20)),
        sa.Column("answered", Instant),
        sa.Column("actor", sa.String(200)),
        sa.Column("reason", sa.Text),
    )


def downgrade() -> None:
    """Back to charters by digest."""
    op.drop_table("questions")
    op.drop_table("efforts")
    connection = op.get_bind()
    known = connection.execute(
        sa.text("SELECT digest, MIN(seen), MIN(content) FROM charters GROUP BY digest")
    ).all()
    op.drop_table("charters")
    op.create_table(
        "charters",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("seen", Instant, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
    )
    for digest, seen, content in known:
        connection.execute(
            sa.text("INSERT INTO charters (digest, seen, content) VALUES (:digest, :seen, :content)"),
            {"digest": digest, "seen": seen, "content": content},
        )
