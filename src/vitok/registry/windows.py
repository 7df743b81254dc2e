"""Windows and alerts: what watching found."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from vitok.monitor.alerts import Alert
from vitok.store.schema import alerts, windows


def save_window(
    connection: Connection,
    *,
    start: datetime,
    end: datetime,
    state: str,
    rows: int,
    labelled: int,
    version: int,
    drift: list[dict[str, Any]],
    quality: dict[str, Any],
) -> None:
    """Writes a window, in place of what was known of it before."""
    connection.execute(delete(windows).where(windows.c.start == start))
    connection.execute(
        insert(windows).values(
            start=start,
            end=end,
            state=state,
            rows=rows,
            labelled=labelled,
            version=version,
            drift=drift,
            quality=quality,
        )
    )


def window_states(connection: Connection) -> dict[datetime, tuple[str, int]]:
    """State and number of rows of each window that was ever judged, by its start."""
    found = connection.execute(select(windows.c.start, windows.c.state, windows.c.rows))
    return {row.start: (row.state, row.rows) for row in found}


def drift_of(connection: Connection, start: datetime) -> list[dict[str, Any]]:
    """The drift findings of a window as they were judged when it closed."""
    found: list[dict[str, Any]] | None = connection.execute(
        select(windows.c.drift).where(windows.c.start == start)
    ).scalar()
    return found or []


def last_windows(connection: Connection, count: int, *, state: str | None = None) -> list[dict[str, Any]]:
    """The latest windows, newest first."""
    query = select(windows).order_by(windows.c.start.desc()).limit(count)
    if state is not None:
        query = query.where(windows.c.state == state)
    return [dict(row) for row in connection.execute(query).mappings()]


def all_windows(connection: Connection) -> list[dict[str, Any]]:
    """All windows that were ever judged, oldest first."""
    return [dict(row) for row in connection.execute(select(windows).order_by(windows.c.start)).mappings()]


def save_alert(connection: Connection, alert_id: str, alert: Alert) -> None:
    """Writes a new alert."""
    connection.execute(insert(alerts).values(id=alert_id, **_columns(alert)))


def update_alert(connection: Connection, alert_id: str, alert: Alert) -> None:
    """Writes how an alert goes on."""
    connection.execute(update(alerts).where(alerts.c.id == alert_id).values(**_columns(alert)))


def _columns(alert: Alert) -> dict[str, Any]:
    return {
        "kind": alert.kind,
        "severity": alert.severity,
        "opened": alert.opened,
        "resolved": alert.resolved,
        "window": alert.last_window,
        "message": f"{alert.sentence} {alert.remedy}",
        "evidence": {
            "since": alert.since.isoformat(),
            "what": list(alert.what),
            "sentence": alert.sentence,
            "remedy": alert.remedy,
            "calm": alert.calm,
        },
    }


def load_alerts(connection: Connection, *, resolved_after: datetime | None = None) -> dict[str, Alert]:
    """Open alerts by id; with `resolved_after` also those that were resolved later than that."""
    query = select(alerts).order_by(alerts.c.opened)
    if resolved_after is None:
        query = query.where(alerts.c.resolved.is_(None))
    else:
        query = query.where(alerts.c.resolved.is_(None) | (alerts.c.resolved > resolved_after))
    return {row.id: _alert(row) for row in connection.execute(query)}


def _alert(row: Any) -> Alert:
    evidence = row.evidence
    return Alert(
        kind=row.kind,
        severity=row.severity,
        since=datetime.fromisoformat(evidence["since"]),
        opened=row.opened,
        last_window=row.window,
        what=tuple(evidence["what"]),
        sentence=evidence["sentence"],
        remedy=evidence["remedy"],
        calm=evidence["calm"],
        resolved=row.resolved,
    )
