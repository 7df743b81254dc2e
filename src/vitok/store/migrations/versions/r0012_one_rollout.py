"""At most one roll-out goes on; where two that began at once both did, the newest does, as the plan in force has it."""

import sqlalchemy as sa
from alembic import op

from vitok.store.schema import Instant

revision = "0012"
down_revision = "0011"
_INDEX, _REASON = (
    "one_rollout_going",
    "another roll-out began at the same moment, and its plan came into force",
)
_ROLLOUTS = sa.table(
    "rollouts",
    sa.column("number", sa.Integer),
    sa.column("started", Instant),
    sa.column("state", sa.String),
    sa.column("stage", sa.Integer),
    sa.column("since", Instant),
    sa.column("ended", Instant),
    sa.column("going", sa.Integer),
)
_TRANSITIONS = sa.table(
    "transitions",
    sa.column("rollout", sa.Integer),
    sa.column("number", sa.Integer),
    sa.column("time", Instant),
    sa.column("before", sa.String),
    sa.column("state", sa.String),
    sa.column("stage", sa.Integer),
    sa.column("epoch", sa.Integer),
    sa.column("actor", sa.String),
    sa.column("reason", sa.Text),
    sa.column("evidence", sa.JSON),
    sa.column("seen", sa.JSON),
)


def upgrade() -> None:
    """Ends all but the newest of those that go on, and sees to it that there are no more."""
    connection = op.get_bind()
    op.add_column("rollouts", sa.Column("going", sa.Integer))
    _end_all_but_the_newest(connection)
    connection.execute(sa.update(_ROLLOUTS).where(_ROLLOUTS.c.ended.is_(None)).values(going=1))
    op.create_index(_INDEX, "rollouts", ["going"], unique=True)


def _end_all_but_the_newest(connection: sa.Connection) -> None:
    is_open = _ROLLOUTS.c.ended.is_(None)
    going = connection.execute(sa.select(_ROLLOUTS).where(is_open).order_by(_ROLLOUTS.c.number)).all()
    for each in going[:-1]:
        end, mine = going[-1].started, _TRANSITIONS.c.rollout == each.number
        steps = sa.select(sa.func.count()).select_from(_TRANSITIONS).where(mine)
        step = {
            "rollout": each.number,
            "number": connection.execute(steps).scalar_one() + 1,
            "time": end,
            "before": each.state,
            "state": "aborted",
            "stage": each.stage,
            "epoch": None,
            "actor": "vitok",
            "reason": _REASON,
            "evidence": None,
            "seen": {},
        }
        connection.execute(sa.insert(_TRANSITIONS).values(**step))
        ended = {"state": "aborted", "since": end, "ended": end}
        changed = sa.update(_ROLLOUTS).where(_ROLLOUTS.c.number == each.number)
        connection.execute(changed.values(**ended))


def downgrade() -> None:
    """Drops both."""
    op.drop_index(_INDEX, "rollouts")
    op.drop_column("rollouts", "going")
