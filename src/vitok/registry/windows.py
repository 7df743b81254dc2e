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
    details: dict[str, Any],
) -> None:
    """Writes a window, in place of what was known of it before.

    Args:
        details: What else was found, by what it is about.
    """
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
            details=details,
        )
    )


def window_states(connection: Connection) -> dict[datetime, tuple[str, int]]:
    """State and number of rows of each window that was ever judged, by its start."""
    found = connection.execute(select(windows.c.start, windows.c.state, windows.c.rows))
    return {row.start: (row.state, row.rows) for row in found}


def one_window(connection: Connection, start: datetime) -> dict[str, Any]:
    """A window that was judged before."""
    row = connection.execute(select(windows).where(windows.c.start == start)).mappings().one()
    return {**row, "digest": row["details"]["digest"]}


def found_before(connection: Connection, start: datetime) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The drift findings and the details of a window as they were judged when it closed."""
    query = select(windows.c.drift, windows.c.details).where(windows.c.start == start)
    row = connection.execute(query).first()
    return ([], {}) if row is None else (row.drift, row.details)


def last_details(
    connection: Connection, key: str, *, before: datetime | None = None
) -> dict[str, Any] | None:
    """What the latest window that has it says about something, None if none does."""
    query = select(windows.c.details).order_by(windows.c.start.desc())
    if before is not None:
        query = query.where(windows.c.start < before)
    for (details,) in connection.execute(query):
        if key in details:
            found: dict[str, Any] = details[key]
            return found
    return None


def recent_metrics(
    connection: Connection, version: int, before: datetime, count: int
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Metrics of a version's latest windows before a moment, oldest first: as estimated, and as labels said.

    The second are empty as long as labels have not come.
    """
    query = select(windows.c.details["estimated"].label("estimated"), windows.c.quality)
    query = query.where(windows.c.version == version, windows.c.start < before)
    rows = connection.execute(query.order_by(windows.c.start.desc()).limit(count)).all()
    return [(row.estimated or {}, row.quality) for row in reversed(rows)]


def counts(connection: Connection, since: datetime) -> dict[datetime, tuple[int, int]]:
    """Predictions and outcomes that came in each window from a moment on, by its start."""
    query = select(windows.c.start, windows.c.rows, windows.c.details["outcomes"].label("outcomes"))
    return {
        row.start: (row.rows, row.outcomes or 0)
        for row in connection.execute(query.where(windows.c.start >= since))
    }


def last_windows(connection: Connection, count: int, *, state: str | None = None) -> list[dict[str, Any]]:
    """The latest windows, newest first."""
    query = select(windows).order_by(windows.c.start.desc()).limit(count)
    if state is not None:
        query = query.where(windows.c.state == state)
    return [dict(row) for row in connection.execute(query).mappings()]


def fell_since(connection: Connection, moment: datetime) -> list[list[str]]:
    """For each window that began since and was held against acceptance by its labels, which metrics fell."""
    fell = windows.c.details["fell"].label("fell")
    found = select(fell).where(windows.c.start >= moment, windows.c.state == "final")
    rows = connection.execute(found.order_by(windows.c.start))
    return [row.fell for row in rows if row.fell is not None]


def all_windows(connection: Connection) -> list[dict[str, Any]]:
    """All windows that were ever judged, oldest first."""
    return [dict(row) for row in connection.execute(select(windows).order_by(windows.c.start)).mappings()]


def measured_windows(connection: Connection) -> list[dict[str, Any]]:
    """What all windows say of quality, oldest first, without their drift.

    Returns:
        start, end, state, rows, labelled, version, quality, and by slice, as estimated and as estimated by a
        calibration made for the window: slices, estimated, reweighted.
    """
    kept = ("slices", "estimated", "reweighted")
    columns = [
        windows.c[name] for name in ("start", "end", "state", "rows", "labelled", "version", "quality")
    ]
    query = select(*columns, *(windows.c.details[name].label(name) for name in kept)).order_by(
        windows.c.start
    )
    return [
        {**row, **{name: row[name] or {} for name in kept}} for row in connection.execute(query).mappings()
    ]


def metric_series(connection: Connection, metric: str, since: datetime) -> list[dict[str, Any]]:
    """What each window from a moment on says of a metric, oldest first; only that is read of it.

    Returns:
        start, end, state, rows, labelled, version, and the metric as `quality`, None where no labels tell it.
    """
    query = select(
        windows.c.start,
        windows.c.end,
        windows.c.state,
        windows.c.rows,
        windows.c.labelled,
        windows.c.version,
        windows.c.quality[metric].label("quality"),
    ).where(windows.c.start >= since)
    found = connection.execute(query.order_by(windows.c.start)).all()
    names = ("start", "end", "state", "rows", "labelled", "version", "quality")
    return [dict(zip(names, row, strict=True)) for row in found]  # faster than the rows' own mappings


def metric_details(connection: Connection, metric: str, since: datetime) -> dict[datetime, dict[str, Any]]:
    """The estimate of a metric and its value by slice, of each window from a moment on, by its start."""
    query = select(
        windows.c.start,
        windows.c.details[("estimated", metric)].label("estimated"),
        windows.c.details["slices"].label("slices"),
    ).where(windows.c.start >= since)
    return {
        row.start: {
            "estimated": {} if row.estimated is None else {metric: row.estimated},
            "slices": row.slices or {},
        }
        for row in connection.execute(query)
    }


def first_start(connection: Connection) -> datetime | None:
    """Where the first window began that was ever judged."""
    found: datetime | None = connection.execute(select(windows.c.start).order_by(windows.c.start)).scalar()
    return found


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
            "runbook": alert.runbook,
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
        runbook=evidence.get("runbook", ""),
        resolved=row.resolved,
    )
