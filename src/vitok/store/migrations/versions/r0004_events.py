"""Events that are to be told to somebody."""

import sqlalchemy as sa
from alembic import op

from vitok.store.schema import Instant, Words

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "events",
        sa.Column("id", Words(300), primary_key=True),
        sa.Column("time", Instant, nullable=False),
        sa.Column("kind", Words(20), nullable=False),
        sa.Column("subject", Words(300), nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", Words(100)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", Instant, nullable=False),
        sa.Column("state", Words(20), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_table("events")
