"""Labels that people gave on the page of the queue, each with who gave it: second opinions among them."""

import sqlalchemy as sa
from alembic import op

from vitok.store.schema import Instant, Words

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "labels",
        sa.Column("id", Words(300), primary_key=True),
        sa.Column("person", Words(200), primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
        sa.Column("given", Instant, nullable=False),
        sa.Column("time", Instant, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_table("labels")
