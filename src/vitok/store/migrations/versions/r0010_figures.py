"""Figures that take longer to reckon than a page may: kept, with what they were reckoned of."""

import sqlalchemy as sa
from alembic import op

from vitok.store.schema import Instant, Words

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "figures",
        sa.Column("name", Words(40), primary_key=True),
        sa.Column("basis", Words(64), nullable=False),
        sa.Column("reckoned", Instant, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_table("figures")
