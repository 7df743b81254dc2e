"""Keys that open the server."""

import sqlalchemy as sa
from alembic import op

from vitok.store.schema import Instant, Words

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "keys",
        sa.Column("name", Words(100), primary_key=True),
        sa.Column("digest", Words(64), nullable=False, unique=True),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created", Instant, nullable=False),
        sa.Column("expires", Instant),
        sa.Column("rate", sa.Float),
        sa.Column("quota", sa.Integer),
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_table("keys")
