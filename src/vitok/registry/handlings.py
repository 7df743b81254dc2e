"""What people did about alerts: columns of the table `alerts` that watching leaves alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from vitok.monitor.handling import Handling
from vitok.store.schema import alerts

_CLOSED_BY = "closed_by"


def find(connection: Connection, ids: Sequence[str]) -> dict[str, Handling]:
    """What people did about these alerts, by id."""
    rows = connection.execute(select(alerts).where(alerts.c.id.in_(ids)))
    return {
        row.id: Handling(
            row.acknowledged, row.acknowledged_by, row.snoozed, row.note, row.evidence.get(_CLOSED_BY)
        )
        for row in rows
    }


def change(connection: Connection, alert_id: str, **changes: Any) -> None:
    """Changes the columns `acknowledged`, `acknowledged_by`, `snoozed` or `note` of an alert."""
    connection.execute(update(alerts).where(alerts.c.id == alert_id).values(**changes))


def close(connection: Connection, alert_id: str, now: datetime, by: str, note: str) -> None:
    """Ends an alert by hand: it counts as resolved, and its evidence says by whom."""
    evidence = connection.execute(select(alerts.c.evidence).where(alerts.c.id == alert_id)).scalar_one()
    values = {"resolved": now, "note": note, "snoozed": None, "evidence": {**evidence, _CLOSED_BY: by}}
    connection.execute(update(alerts).where(alerts.c.id == alert_id).values(**values))
