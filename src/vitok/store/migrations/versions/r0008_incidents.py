"""Incidents with their time lines, links and actions, and signed checkpoints of the audit log."""

import sqlalchemy as sa
from alembic import op

from vitok.store.schema import Instant, Words

revision = "0008"
down_revision = "0007"

_TABLES = ("incidents", "incident_notes", "incident_links", "incident_actions", "checkpoints")


def upgrade() -> None:
    """Adds the tables."""
    _create_incidents()
    op.create_table(
        "checkpoints",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("time", Instant, nullable=False),
        sa.Column("digest", Words(64), nullable=False),
        sa.Column("key", Words(64), nullable=False),
        sa.Column("signature", Words(200), nullable=False),
    )


def _create_incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("cause", Words(300), nullable=False),
        sa.Column("kind", Words(20), nullable=False),
        sa.Column("severity", Words(20), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("actor", Words(200), nullable=False),
        sa.Column("began", Instant, nullable=False),
        sa.Column("detected", Instant, nullable=False),
        sa.Column("recovered", Instant),
        sa.Column("closed", Instant),
        sa.Column("closed_by", Words(200)),
        sa.Column("conclusion", sa.Text, nullable=False),
        sa.Column("pending", Words(300), unique=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "incident_notes",
        sa.Column("incident", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("about", Words(300), primary_key=True),
        sa.Column("time", Instant, nullable=False),
        sa.Column("kind", Words(20), nullable=False),
        sa.Column("actor", Words(200), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "incident_links",
        sa.Column("incident", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", Words(20), primary_key=True),
        sa.Column("target", Words(100), primary_key=True),
    )
    op.create_table(
        "incident_actions",
        sa.Column("incident", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("owner", Words(200), nullable=False),
        sa.Column("due", Instant, nullable=False),
        sa.Column("added", Instant, nullable=False),
        sa.Column("done", Instant),
        sa.Column("done_by", Words(200)),
    )


def downgrade() -> None:
    """Drops them."""
    for name in _TABLES:
        op.drop_table(name)
