"""Telling others what happens: events are written down with what they are about, and delivered until they arrive."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from sqlalchemy import Connection

from vitok.charter.model import Charter
from vitok.charter.serving import Notify
from vitok.govern import audit
from vitok.govern.links import link_path
from vitok.govern.secrets import signing_key
from vitok.kernel.clock import format_time
from vitok.kernel.digests import digest_bytes
from vitok.loop.attempt import Failure, attempts
from vitok.loop.delivery import bring, shown, target_of
from vitok.loop.journals import handed_over
from vitok.loop.project import Project
from vitok.loop.signing import LINKS, project_key
from vitok.monitor.handling import reminder_due
from vitok.registry import events, handlings
from vitok.registry import windows as remembered

_ATTEMPTS = 12  # with pauses that double up to an hour: given up after about five hours
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=10), timedelta(hours=1)
_CLAIM = timedelta(minutes=1)  # longer than a round of attempts lasts
_AT_ONCE = 20  # for each address
_LOOK_BACK = timedelta(days=1)


def emit(
    connection: Connection, charter: Charter, now: datetime, kind: str, subject: str, data: dict[str, Any]
) -> None:
    """Writes an event down for each address that wants it, in the caller's transaction.

    Args:
        subject: What it is about; together with kind and time it is the event's identity.
    """
    for hook in charter.notify:
        if kind in hook.on:
            _put(connection, hook, now, kind, subject, data)


def _put(
    connection: Connection, hook: Notify, now: datetime, kind: str, subject: str, data: dict[str, Any]
) -> None:
    target = target_of(hook)
    key = f"{kind}/{subject}/{format_time(now)}/{digest_bytes(target.encode())[:12]}"
    found = events.Event(
        key[:300], now, kind, subject[:300], data, target, hook.secret, 0, now, events.WAITING, ""
    )
    events.put(connection, found)


def emit_reminders(project: Project) -> None:
    """Writes a reminder down for each address and open alarm that nobody has acknowledged or snoozed.

    An address that was added to the charter later learns of the alarms that are open.
    """
    hooks = [hook for hook in project.charter.notify if "alert" in hook.on]
    if not hooks:
        return
    now = project.clock()
    with project.engine.begin() as connection:
        alerts = remembered.load_alerts(connection)
        handled = handlings.find(connection, list(alerts))
        for key, alert in alerts.items():
            subject = f"alert {key}"
            state = handled[key].state(is_open=alert.is_open, now=now, opened=alert.opened)
            for hook in hooks:
                told = events.last_told(connection, "alert", subject, target_of(hook))
                due = reminder_due(told, state, alert.severity, hook.remind, now)
                if due is not None:
                    _put(
                        connection,
                        hook,
                        due,
                        "alert",
                        subject,
                        {**alert.as_json(), "reminder": told is not None},
                    )


def emit_hand_overs(project: Project, since: datetime | None = None) -> None:
    """Writes down which rows of the lake were handed over to people; what is written down already stays as it is.

    Args:
        since: Only requests that arrived from then on; None for those of the last day.
    """
    if not any("hand_over" in hook.on for hook in project.charter.notify):
        return
    rows = handed_over(project.lake).filter(pl.col("received") >= (since or project.clock() - _LOOK_BACK))
    waiting = rows.select("id", "time", "version", "score", "proba", "reason").collect()
    with project.engine.begin() as connection:
        for row in waiting.iter_rows(named=True):
            data = {
                "id": row["id"],
                "version": row["version"],
                "score": row["score"] if row["proba"] is None else row["proba"],
                "reason": row["reason"],
            }
            emit(connection, project.charter, row["time"], "hand_over", f"prediction {row['id']}", data)


def deliver(project: Project) -> int:
    """Tries what is due, once each; no address waits for another, and all of it ends in seconds.

    Returns:
        How many were delivered.
    """
    now, delivered = project.clock(), 0
    with project.engine.begin() as connection:
        waiting = events.claim_due(connection, now, now + _CLAIM, _AT_ONCE)
    for event, failure in attempts(
        waiting, lambda event: bring(_with_link(project, event), project.charter.project, now)
    ):
        if failure is None:
            delivered += 1
            changes: dict[str, Any] = {
                "state": events.DELIVERED,
                "attempts": event.attempts + 1,
                "due": event.due,
                "error": "",
            }
        else:
            changes = _later(event, project.clock(), failure)
            if failure.tried:
                project.say(f"{event.kind} could not be told to {shown(event.url)}: {failure.problem}")
        with project.engine.begin() as connection:
            events.change(connection, event.id, **changes)
    return delivered


def _with_link(project: Project, event: events.Event) -> events.Event:
    """For a member of the team who is asked by mail: the event with a link by which to answer, made as it is sent."""
    pages, person = project.charter.approve.url, event.url.removeprefix("mailto:")
    until = event.data.get("until")
    if pages is None or person == event.url or until is None:
        return event
    if event.data.get("role") not in project.charter.team.get(person, []):
        return event
    with project.engine.connect() as connection:
        key = project_key(connection, LINKS, signing_key())
    link = pages.rstrip("/") + link_path(event.data["approval"], person, until, key)
    return replace(event, data={**event.data, "link": link})


def list_events(project: Project, *, dead: bool, limit: int = 100) -> dict[str, Any]:
    """The object that `vitok events --json` prints.

    Args:
        dead: Only those that were given up.
    """
    states = [events.DEAD] if dead else [events.WAITING, events.DELIVERED, events.DEAD]
    with project.engine.connect() as connection:
        found = events.find(connection, states, limit)
    return {"events": [_as_json(event) for event in found]}


def retry_events(project: Project, *, actor: str = "user") -> int:
    """Gives all events that were given up another chance; how many there were."""
    now = project.clock()
    with project.engine.begin() as connection:
        count = events.revive(connection, now)
        if count:
            audit.record(connection, now, actor, "retry events", "events", {"count": count})
    return count


def _later(event: events.Event, now: datetime, failure: Failure) -> dict[str, Any]:
    wait = failure.wait or timedelta(0)
    if not failure.tried:
        return {"due": now + wait}
    count = event.attempts + 1
    pause = max(min(_FIRST_PAUSE * 2 ** min(event.attempts, 12), _LONGEST_PAUSE), wait)
    state = events.DEAD if count >= _ATTEMPTS else events.WAITING
    return {"state": state, "attempts": count, "due": now + pause, "error": failure.problem}


def _as_json(event: events.Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "time": format_time(event.time),
        "kind": event.kind,
        "subject": event.subject,
        "url": shown(event.url),
        "state": event.state,
        "attempts": event.attempts,
        "due": format_time(event.due),
        "error": event.error,
        "data": event.data,
    }
