"""Roll-outs and their transitions."""

import sqlalchemy as sa
from alembic import op

from vitok.store.schema import Instant, Words

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Adds both tables."""
    op.create_table(
        "rollouts",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("started", Instant, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("champion", sa.Integer, nullable=False),
        sa.Column("state", Words(20), nullable=False),
        sa.Column("stage", sa.Integer, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("ended", Instant),
        sa.Column("actor", Words(200), nullable=False),
        sa.Column("way", sa.JSON, nullable=False),
        sa.Column("baseline", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "transitions",
        sa.Column("rollout", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("time", Instant, nullable=False),
        sa.Column("before", Words(20), nullable=False),
        sa.Column("state", Words(20), nullable=False),
        sa.Column("stage", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer),
        sa.Column("actor", Words(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("seen", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_table("transitions")
    op.drop_table("rollouts")
