"""Turns tell whether what follows from their end is done; of those that ended before it is."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Adds the column."""
    op.add_column("turns", sa.Column("settled", sa.Boolean, nullable=False, server_default="1"))


def downgrade() -> None:
    """Drops it."""
    op.drop_column("turns", "settled")
