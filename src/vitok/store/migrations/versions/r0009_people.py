"""People who log in, how often they failed to, keys that act for a person, and turns that are asked for."""

import sqlalchemy as sa
from alembic import op

from vitok.store.schema import Instant, Words

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Adds the tables and the column."""
    op.create_table(
        "users",
        sa.Column("name", Words(200), primary_key=True),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("created", Instant, nullable=False),
        sa.Column("sessions_from", Instant, nullable=False),
    )
    op.create_table(
        "failed_logins",
        sa.Column("subject", Words(64), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last", Instant, nullable=False),
    )
    op.create_table(
        "wanted_turns",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", Words(200), nullable=False, unique=True),
        sa.Column("asked", Instant, nullable=False),
        sa.Column("actor", Words(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("turn", Words(32)),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("keys") as table:
        table.add_column(sa.Column("person", Words(200)))


def downgrade() -> None:
    """Drops them."""
    with op.batch_alter_table("keys") as table:
        table.drop_column("person")
    for name in ("wanted_turns", "failed_logins", "users"):
        op.drop_table(name)
