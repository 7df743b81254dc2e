"""What people did about alerts, and all that watching finds in a window."""

import sqlalchemy as sa
from alembic import op

from vitok.store.schema import Instant, Words

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds the columns."""
    with op.batch_alter_table("alerts") as table:
        table.add_column(sa.Column("acknowledged", Instant))
        table.add_column(sa.Column("acknowledged_by", Words(200)))
        table.add_column(sa.Column("snoozed", Instant))
        table.add_column(sa.Column("note", sa.Text, nullable=False, server_default=""))
    with op.batch_alter_table("windows") as table:
        table.add_column(sa.Column("details", sa.JSON, nullable=False, server_default="{}"))


def downgrade() -> None:
    """Drops them."""
    with op.batch_alter_table("windows") as table:
        table.drop_column("details")
    with op.batch_alter_table("alerts") as table:
        for name in ("acknowledged", "acknowledged_by", "snoozed", "note"):
            table.drop_column(name)
