"""The first schema: turns, versions, releases, windows, alerts, charters, audit."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from vitok.store.schema import Instant, Words

revision = "0001"
down_revision = None


def _columns(
    *definitions: tuple[str, Any, bool],
) -> list["sa.Column[object]"]:
    return [sa.Column(name, kind, nullable=nullable) for name, kind, nullable in definitions]


def upgrade() -> None:
    """Creates all tables."""
    op.create_table(
        "turns",
        sa.Column("id", Words(32), primary_key=True),
        *_columns(
            ("started", Instant, False),
            ("ended", Instant, True),
            ("as_of", Instant, False),
            ("trigger", Words(200), False),
            ("stage", Words(40), False),
            ("state", Words(20), False),
            ("version", sa.Integer, True),
            ("charter", Words(64), False),
            ("data", sa.JSON, False),
            ("seconds", sa.JSON, False),
            ("message", sa.Text, False),
        ),
    )
    op.create_table(
        "versions",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("digest", Words(64), nullable=False, unique=True),
        *_columns(
            ("created", Instant, False),
            ("turn", Words(32), False),
            ("verdict", Words(20), False),
            ("gates", sa.JSON, False),
            ("metrics", sa.JSON, False),
            ("summary", sa.JSON, False),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "releases",
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", Words(32), nullable=False, unique=True),
        *_columns(
            ("created", Instant, False),
            ("version", sa.Integer, False),
            ("strategy", Words(20), False),
            ("state", Words(20), False),
            ("actor", Words(200), False),
            ("plan", sa.JSON, False),
            ("evidence", sa.JSON, False),
        ),
    )
    op.create_table(
        "windows",
        sa.Column("start", Instant, primary_key=True),
        *_columns(
            ("end", Instant, False),
            ("state", Words(20), False),
            ("rows", sa.Integer, False),
            ("labelled", sa.Integer, False),
            ("version", sa.Integer, True),
            ("drift", sa.JSON, False),
            ("quality", sa.JSON, False),
        ),
    )
    op.create_table(
        "alerts",
        sa.Column("id", Words(32), primary_key=True),
        *_columns(
            ("kind", Words(20), False),
            ("severity", Words(20), False),
            ("opened", Instant, False),
            ("resolved", Instant, True),
            ("window", Instant, False),
            ("message", sa.Text, False),
            ("evidence", sa.JSON, False),
        ),
    )
    op.create_table(
        "charters",
        sa.Column("digest", Words(64), primary_key=True),
        *_columns(("seen", Instant, False), ("content", sa.JSON, False)),
    )
    op.create_table(
        "audit",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        *_columns(
            ("time", Instant, False),
            ("actor", Words(200), False),
            ("action", Words(60), False),
            ("subject", Words(200), False),
            ("details", sa.JSON, False),
            ("previous", Words(64), False),
            ("digest", Words(64), False),
        ),
    )


def downgrade() -> None:
    """Drops all tables."""
    for table in ("audit", "charters", "alerts", "windows", "releases", "versions", "turns"):
        op.drop_table(table)
