"""Turns that go on after a crash, decisions to start one or not, and releases that wait for people."""

import sqlalchemy as sa
from alembic import op

from vitok.store.schema import Instant, Words

revision = "0007"
down_revision = "0006"

_TABLES = ("steps", "decisions", "requests", "approvals", "links")
_COLUMNS = ("number", "actor", "quick", "pins", "cancel")


def upgrade() -> None:
    """Adds the columns and the tables; turns that are there are numbered in the order in which they started."""
    with op.batch_alter_table("turns") as table:
        table.add_column(sa.Column("number", sa.Integer, nullable=False, server_default="0"))
        table.add_column(sa.Column("actor", Words(200), nullable=False, server_default=""))
        table.add_column(sa.Column("quick", sa.Boolean, nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("pins", sa.JSON, nullable=False, server_default="{}"))
        table.add_column(sa.Column("cancel", Words(200)))
    connection = op.get_bind()
    found = connection.execute(sa.text("SELECT id FROM turns ORDER BY started, id")).scalars().all()
    for number, turn in enumerate(found, 1):
        connection.execute(sa.text("UPDATE turns SET number = :n WHERE id = :id"), {"n": number, "id": turn})
    _create_turns()
    _create_releases()


def _create_turns() -> None:
    op.create_table(
        "steps",
        sa.Column("turn", Words(32), primary_key=True),
        sa.Column("name", Words(60), primary_key=True),
        sa.Column("started", Instant, nullable=False),
        sa.Column("ended", Instant),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("outputs", sa.JSON, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
    )
    op.create_table(
        "decisions",
        sa.Column("id", Words(32), primary_key=True),
        sa.Column("time", Instant, nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("started", sa.Boolean, nullable=False),
        sa.Column("triggers", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("turn", Words(32)),
    )


def _create_releases() -> None:
    op.create_table(
        "requests",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("digest", Words(64), nullable=False),
        sa.Column("champion", sa.Integer),
        sa.Column("risk", Words(20), nullable=False),
        sa.Column("asked", Instant, nullable=False),
        sa.Column("author", Words(200), nullable=False),
        sa.Column("actor", Words(200), nullable=False),
        sa.Column("strategy", Words(20)),
        sa.Column("flag", Words(100)),
        sa.Column("state", Words(20), nullable=False),
        sa.Column("ended", Instant),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("shown", sa.JSON, nullable=False),
        sa.Column("evidence", Words(64), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "approvals",
        sa.Column("id", Words(32), primary_key=True),
        sa.Column("request", sa.Integer, nullable=False),
        sa.Column("role", Words(40), nullable=False),
        sa.Column("person", Words(200)),
        sa.Column("expires", Instant),
        sa.Column("answer", Words(20)),
        sa.Column("answered", Instant),
        sa.Column("actor", Words(200)),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "links",
        sa.Column("digest", Words(64), primary_key=True),
        sa.Column("approval", Words(32), nullable=False),
        sa.Column("person", Words(200), nullable=False),
        sa.Column("used", Instant, nullable=False),
    )


def downgrade() -> None:
    """Drops them."""
    for name in _TABLES:
        op.drop_table(name)
    with op.batch_alter_table("turns") as table:
        for name in _COLUMNS:
            table.drop_column(name)
