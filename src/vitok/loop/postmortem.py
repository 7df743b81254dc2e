"""What a post-mortem is drafted from: what an incident did, and what had changed before it."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from sqlalchemy import Connection

from vitok.economics.decisions import PROFIT
from vitok.kernel.clock import format_time
from vitok.loop.incident_acts import show_incident
from vitok.loop.incident_signals import ALERT
from vitok.loop.journals import JournalReader
from vitok.loop.project import Project
from vitok.monitor.incidents import Incident
from vitok.registry import charters, incidents, releases, turns, versions
from vitok.registry import windows as remembered

_BEFORE = timedelta(days=7)


def post_mortem(project: Project, journal: JournalReader | None, number: int) -> dict[str, Any]:
    """The object that `vitok incidents postmortem N --json` prints, without its Markdown.

    Args:
        journal: To count rows; None to leave that out, since it takes longer the more was predicted.

    Returns:
        As `show_incident`, and: project, made, impact {rows, by_action, windows, lost}, causes (sentences of what the
        incident was opened by, with what each says to do), before (what had changed in the week before it began).

    Raises:
        NotFound: there is no such incident.
    """
    found, now = show_incident(project, number), project.clock()
    with project.engine.connect() as connection:
        incident = incidents.get(connection, number)
        end = incident.recovered or now
        return {
            "project": project.charter.project,
            "made": format_time(now),
            **found,
            "impact": {
                **({} if journal is None else _rows(journal, incident.began, end)),
                **_windows(connection, incident.began, end, project.charter.monitor.window),
            },
            "causes": _causes(connection, incident),
            "before": _before(connection, incident.began),
        }


def _rows(journal: JournalReader, begin: datetime, end: datetime) -> dict[str, Any]:
    """Rows that were answered meanwhile, and by whom."""
    rows = journal.since(begin, end).filter(pl.col("role") != "shadow")
    return {"rows": rows.height, "by_action": dict(sorted(Counter(rows["action"].to_list()).items()))}


def _windows(connection: Connection, begin: datetime, end: datetime, length: timedelta) -> dict[str, Any]:
    """Windows that the incident reached into; `lost` is money against the accepted profit, None without costs."""
    accepted = {
        each.number: each.metrics.get(PROFIT, {}).get("value") for each in versions.all_versions(connection)
    }
    lost: list[float] = []
    count = 0
    for window in remembered.metric_series(connection, PROFIT, begin - length):
        if window["end"] <= begin or window["start"] >= end:
            continue
        count += 1
        got, wanted = window["quality"], accepted.get(window["version"])
        if got is not None and wanted is not None:
            lost.append((wanted - got["value"]) * window["labelled"] / 1000)
    return {"windows": count, "lost": sum(lost) if lost else None}


def _causes(connection: Connection, incident: Incident) -> list[dict[str, str]]:
    alerts = remembered.load_alerts(connection, resolved_after=incident.began - _BEFORE)
    tied = [name for kind, name in incidents.links_of(connection, incident.number) if kind == ALERT]
    said = [
        {"what": alerts[name].sentence, "remedy": alerts[name].remedy, "runbook": alerts[name].runbook}
        for name in tied
        if name in alerts
    ]
    others = [
        {"what": note.text, "remedy": "", "runbook": ""}
        for note in incidents.notes_of(connection, incident.number)
        if note.about.startswith("about ") and note.kind != ALERT
    ]
    return [*said, *others]


def _before(connection: Connection, began: datetime) -> list[dict[str, str]]:
    """What changed in the week before: the usual suspects."""
    found: list[tuple[datetime, str]] = []
    for release in releases.all_releases(connection):
        found.append((release.created, f"version {release.version} came into force ({release.strategy})"))
    for charter in charters.all_charters(connection):
        found.append((charter.seen, f"charter {charter.number} was seen for the first time"))
    for turn in turns.all_turns(connection):
        found.append((turn.started, f"turn {turn.number} began: {turn.trigger}"))
    recent = sorted((at, what) for at, what in found if began - _BEFORE <= at <= began)
    return [{"time": format_time(at), "what": what} for at, what in recent]
