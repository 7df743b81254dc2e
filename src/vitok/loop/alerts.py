"""What people do about alerts: look, acknowledge, snooze, and close by hand; each act stands in the audit log."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from vitok.errors import NotFound, UserMistake
from vitok.govern import audit
from vitok.kernel.clock import format_duration, format_time
from vitok.loop.delivery import shown
from vitok.loop.incident_signals import ALERT
from vitok.loop.project import Project
from vitok.monitor.alerts import Alert
from vitok.monitor.handling import Handling, State
from vitok.registry import events, handlings, incidents
from vitok.registry import windows as remembered
from vitok.store.locks import hold

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST = 4
_SHORT = 6  # of 32 characters each: a billion
_LONGEST_SNOOZE = timedelta(days=90)
_LONGEST_NOTE = 2000
_NAMED = 5
_WAIT_SECONDS = 30.0
WATCH_LOCK = "watch.lock"


@dataclass(frozen=True, slots=True)
class Record:
    """An alert, and what people did about it."""

    id: str
    alert: Alert
    handling: Handling

    def state(self, now: datetime) -> State:
        """Where the alert stands, as people see it."""
        return self.handling.state(is_open=self.alert.is_open, now=now, opened=self.alert.opened)

    def as_json(self, now: datetime) -> dict[str, Any]:
        """The alert as `vitok alerts --json` prints it."""
        did = self.handling
        return {
            "id": self.id,
            **self.alert.as_json(),
            "state": self.state(now),
            "acknowledged": None if did.acknowledged is None else format_time(did.acknowledged),
            "acknowledged_by": did.acknowledged_by,
            "snoozed": None if did.snoozed is None else format_time(did.snoozed),
            "note": did.note,
            "closed_by": did.closed_by,
        }


def alert_records(connection: Connection, *, since: datetime | None = None) -> list[Record]:
    """The open alerts, oldest first; with `since` also those that ended after that."""
    alerts = remembered.load_alerts(connection, resolved_after=since)
    handled = handlings.find(connection, list(alerts))
    return [Record(key, alert, handled[key]) for key, alert in alerts.items()]


def list_alerts(project: Project, *, ended: bool = False) -> dict[str, Any]:
    """The object that `vitok alerts --json` prints, the newest first.

    Args:
        ended: Also those that ended.
    """
    now = project.clock()
    with project.engine.connect() as connection:
        found = alert_records(connection, since=_EVER if ended else None)
        everything = list(remembered.load_alerts(connection, resolved_after=_EVER))
    length = _short_length(everything)
    return {
        "alerts": [{**record.as_json(now), "short": record.id[-length:]} for record in reversed(found)],
        "open": sum(record.alert.is_open for record in found),
    }


def show_alert(project: Project, name: str) -> dict[str, Any]:
    """The object that `vitok alerts show --json` prints: an alert, who was told of it, what was done
    about it, and the numbers of the incidents that it belongs to.

    Args:
        name: Its id, or at least four characters of its begin or end.

    Raises:
        UserMistake: the name fits none or several.
    """
    with project.engine.connect() as connection:
        record = _named(connection, name)
        told = events.about(connection, f"alert {record.id}")
        did = audit.lines(connection, subject=f"alert {record.id}")
        history = [
            {
                "time": format_time(line["time"]),
                "actor": line["actor"],
                "action": line["action"],
                "note": line["details"].get("note", ""),
            }
            for line in did
        ]
        tied = incidents.linked(connection, ALERT, record.id)
    return {
        **record.as_json(project.clock()),
        "told": [
            {"time": format_time(each.time), "url": shown(each.url), "state": each.state, "error": each.error}
            for each in told
        ],
        "history": history,
        "incidents": tied,
    }


def acknowledge(project: Project, name: str, *, note: str, actor: str) -> dict[str, Any]:
    """Says that somebody looks after an alert, so that nobody is reminded of it; who was first stays.

    Args:
        note: Kept with the alert, unless it is empty.

    Raises:
        UserMistake: the name fits none or several, or the alert has ended.
    """

    def act(connection: Connection, record: Record, now: datetime) -> dict[str, Any]:
        changes: dict[str, Any] = {"note": note} if note else {}
        if record.state(now) == "open" or record.handling.acknowledged is None:
            changes |= {"acknowledged": now, "acknowledged_by": actor}
        if changes:
            handlings.change(connection, record.id, **changes)
        return {"note": note}

    return _act(project, name, "acknowledge alert", actor, note, act)


def snooze(project: Project, name: str, *, duration: timedelta, note: str, actor: str) -> dict[str, Any]:
    """Keeps reminders of an alert silent for a time.

    Raises:
        UserMistake: as for `acknowledge`, or the time is not between a minute and 90 days.
    """
    if not timedelta(minutes=1) <= duration <= _LONGEST_SNOOZE:
        raise UserMistake(
            "--for", f"{format_duration(duration)} is no time to snooze", "Write 1m to 90d, such as 3d."
        )

    def act(connection: Connection, record: Record, now: datetime) -> dict[str, Any]:
        changes: dict[str, Any] = {"note": note} if note else {}
        handlings.change(connection, record.id, snoozed=now + duration, **changes)
        return {"until": format_time(now + duration), "note": note}

    return _act(project, name, "snooze alert", actor, note, act)


def close_alert(project: Project, name: str, *, note: str, actor: str) -> dict[str, Any]:
    """Ends an alert by hand.

    Args:
        note: Why; it must say something.

    Raises:
        UserMistake: as for `acknowledge`, or the note is empty.
        Busy: watching has been at work for half a minute.
    """
    if not note.strip():
        raise UserMistake("--note", "says nothing", "Say why the alert is over, or nothing to worry about.")

    def act(connection: Connection, record: Record, now: datetime) -> dict[str, Any]:
        handlings.close(connection, record.id, now, actor, note)
        return {"note": note}

    # A look that has read the alert as open would write it back as open.
    with hold(project.state / WATCH_LOCK, "vitok alerts resolve", wait_seconds=_WAIT_SECONDS):
        return _act(project, name, "resolve alert", actor, note, act)


def _act(
    project: Project,
    name: str,
    action: str,
    actor: str,
    note: str,
    act: Callable[[Connection, Record, datetime], dict[str, Any]],
) -> dict[str, Any]:
    if len(note) > _LONGEST_NOTE:
        raise UserMistake("--note", f"has {len(note)} characters", f"Write {_LONGEST_NOTE} at most.")
    now = project.clock()
    with project.engine.begin() as connection:
        record = _named(connection, name)
        if not record.alert.is_open:
            ended = format_time(record.alert.resolved or now)
            raise UserMistake(
                f"alert {name}", f"ended on {ended[:16]}", "See `vitok alerts` for the open ones."
            )
        told = act(connection, record, now)
        audit.record(connection, now, actor, action, f"alert {record.id}", told)
        return _named(connection, record.id).as_json(now)


def _named(connection: Connection, name: str) -> Record:
    wanted = name.strip().lower()
    records = {record.id: record for record in alert_records(connection, since=_EVER)}
    if wanted in records:
        return records[wanted]
    if len(wanted) < _LEAST:
        remedy = f"Write at least {_LEAST} characters of the begin or the end of its id."
        raise UserMistake(f"alert {name!r}", "is too short to name one", remedy)
    found = [key for key in records if key.startswith(wanted) or key.endswith(wanted)]
    if len(found) == 1:
        return records[found[0]]
    if found:
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        what = f"fits {len(found)}: {', '.join(found[-_NAMED:])}{more}"
        raise UserMistake(f"alert {name!r}", what, "Write more of the id.")
    still = [key[-_SHORT:] for key, record in records.items() if record.alert.is_open][-_NAMED:]
    remedy = f"Open: {', '.join(still)}." if still else "None is open; see `vitok alerts --all`."
    raise NotFound(f"alert {name!r}", "does not exist", remedy)


def _short_length(ids: list[str]) -> int:
    """How many characters of the end tell all ids apart."""
    length = _SHORT
    while length < 20 and len({key[-length:] for key in ids}) < len(ids):
        length += 1
    return length
