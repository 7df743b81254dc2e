"""What people see of incidents and do about them: open, note, close, and actions that are followed to their end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from vitok.charter.incidents import SEVERITIES, Severity
from vitok.errors import NotFound, UserMistake
from vitok.govern import audit
from vitok.kernel.clock import format_time
from vitok.kernel.ids import new_id
from vitok.loop.incidents import tell
from vitok.loop.project import Project
from vitok.monitor.incidents import Incident, lengths, mean_times
from vitok.registry import incidents
from vitok.registry.incidents import Action, Note
from vitok.store.writing import begin_writing

_LONGEST = 2000


def list_incidents(project: Project, *, closed: bool = False) -> dict[str, Any]:
    """The object that `vitok incidents --json` prints, the newest first.

    Args:
        closed: Also those that are closed.
    """
    now = project.clock()
    with project.engine.connect() as connection:
        known = incidents.all_since(connection)
        actions = incidents.open_actions(connection)
    listed = [each for each in known if closed or each.closed is None]
    return {
        "incidents": [incident_json(each) for each in reversed(listed)],
        **incident_figures(known),
        "actions": [_action_json(action, now) for action in actions],
    }


def incident_figures(known: Sequence[Incident]) -> dict[str, Any]:
    """How many incidents there were, how many go on, and how long they took to be noticed and to be over."""
    return {
        "count": len(known),
        "open": sum(each.state == "open" for each in known),
        "by_severity": {
            name: count for name in SEVERITIES if (count := sum(each.severity == name for each in known))
        },
        "mean_seconds_to": mean_times(known),
    }


def show_incident(project: Project, number: int) -> dict[str, Any]:
    """The object that `vitok incidents show N --json` prints: with its time line, links and actions.

    Raises:
        NotFound: there is no such incident.
    """
    with project.engine.connect() as connection:
        return _whole(connection, incidents.get(connection, number), project.clock())


def open_incident(project: Project, title: str, *, severity: Severity | None, actor: str) -> dict[str, Any]:
    """Opens an incident by hand; it goes on until it is closed.

    Args:
        severity: None for the charter's.

    Raises:
        UserMistake: the title says nothing, or too much.
    """
    _require_text("--title", title)
    now = project.clock()
    grave: Severity = severity or project.charter.incidents.severity.other
    with project.engine.begin() as connection:
        begin_writing(connection)
        made = Incident(0, f"by hand {new_id(now)}", "other", grave, title, actor, now, now)
        incident = incidents.begin(connection, made)
        note = Note(f"opened {format_time(now)}", now, "opened", actor, "The incident was opened")
        incidents.note(connection, incident.number, note)
        details = {"kind": "other", "severity": grave, "title": title}
        audit.record(connection, now, actor, "incident opened", f"incident {incident.number}", details)
        tell(project, connection, incident, "opened", now, actor=actor)
        return _whole(connection, incident, now)


def note_incident(project: Project, number: int, text: str, *, actor: str) -> dict[str, Any]:
    """Adds a line to the time line, also of an incident that is closed.

    Raises:
        NotFound: there is no such incident.
        UserMistake: the text says nothing, or too much.
    """
    _require_text("--text", text)
    now = project.clock()
    with project.engine.begin() as connection:
        begin_writing(connection)
        incident = incidents.get(connection, number)
        incidents.note(connection, number, Note(f"note {new_id(now)}", now, "note", actor, text))
        audit.record(connection, now, actor, "incident noted", f"incident {number}", {"text": text})
        return _whole(connection, incident, now)


def close_incident(project: Project, number: int, cause: str, *, actor: str) -> dict[str, Any]:
    """Puts an incident to rest; one that has not recovered by itself is over with this.

    Args:
        cause: What it was.

    Raises:
        NotFound: there is no such incident.
        UserMistake: it is closed, or the cause says nothing, or too much.
    """
    _require_text("--cause", cause)
    now = project.clock()
    with project.engine.begin() as connection:
        begin_writing(connection)
        before = incidents.get(connection, number)
        over = before.recovered or now
        after = replace(before, recovered=over, closed=now, closed_by=actor, conclusion=cause)
        if before.closed is not None or not incidents.change(connection, before, after):
            by = incidents.get(connection, number)
            what = f"was closed by {by.closed_by}: {by.conclusion}"
            remedy = f"`vitok incidents note {number} --text ...` adds to it."
            raise UserMistake(f"incident {number}", what, remedy)
        incident = incidents.get(connection, number)
        text = f"The incident was closed: {cause}"
        incidents.note(connection, number, Note(f"closed {format_time(now)}", now, "closed", actor, text))
        audit.record(connection, now, actor, "incident closed", f"incident {number}", {"cause": cause})
        tell(project, connection, incident, "closed", now, actor=actor, reason=cause)
        return _whole(connection, incident, now)


def add_action(
    project: Project, number: int, text: str, *, owner: str, due: datetime, actor: str
) -> dict[str, Any]:
    """Writes down what is to be done so that an incident does not come again.

    Args:
        owner: Who answers for it.
        due: By when.

    Raises:
        NotFound: there is no such incident.
        UserMistake: text or owner say nothing, or too much.
    """
    _require_text("--add", text)
    _require_text("--owner", owner, longest=200)
    now = project.clock()
    with project.engine.begin() as connection:
        begin_writing(connection)
        incident = incidents.get(connection, number)
        action = incidents.add_action(connection, number, text=text, owner=owner, due=due, now=now)
        details = {"action": action.number, "text": text, "owner": owner, "due": format_time(due)}
        audit.record(connection, now, actor, "incident action added", f"incident {number}", details)
        return _whole(connection, incident, now)


def finish_action(project: Project, number: int, which: int, *, actor: str) -> dict[str, Any]:
    """Marks an action as done; who was first stays.

    Raises:
        NotFound: there is no such incident, or it has no such action.
    """
    now = project.clock()
    with project.engine.begin() as connection:
        begin_writing(connection)
        incident = incidents.get(connection, number)
        found = incidents.finish_action(connection, number, which, now, actor)
        if found is None:
            count = len(incidents.actions_of(connection, number))
            remedy = f"It has {count}; see `vitok incidents show {number}`."
            raise NotFound(f"action {which} of incident {number}", "does not exist", remedy)
        if found.done == now:
            details = {"action": which}
            audit.record(connection, now, actor, "incident action done", f"incident {number}", details)
        return _whole(connection, incident, now)


def incident_json(incident: Incident) -> dict[str, Any]:
    """An incident as JSON values."""
    return {
        "number": incident.number,
        "state": incident.state,
        "kind": incident.kind,
        "severity": incident.severity,
        "title": incident.title,
        "actor": incident.actor,
        "began": format_time(incident.began),
        "detected": format_time(incident.detected),
        "recovered": None if incident.recovered is None else format_time(incident.recovered),
        "closed": None if incident.closed is None else format_time(incident.closed),
        "closed_by": incident.closed_by,
        "conclusion": incident.conclusion,
        "seconds_to": lengths(incident),
    }


def _whole(connection: Connection, incident: Incident, now: datetime) -> dict[str, Any]:
    notes = incidents.notes_of(connection, incident.number)
    actions = incidents.actions_of(connection, incident.number)
    return {
        **incident_json(incident),
        "links": [
            {"kind": kind, "name": name} for kind, name in incidents.links_of(connection, incident.number)
        ],
        "time_line": [
            {"time": format_time(note.time), "kind": note.kind, "actor": note.actor, "text": note.text}
            for note in notes
        ],
        "actions": [_action_json(action, now) for action in actions],
    }


def _action_json(action: Action, now: datetime) -> dict[str, Any]:
    return {
        "incident": action.incident,
        "number": action.number,
        "text": action.text,
        "owner": action.owner,
        "due": format_time(action.due),
        "done": None if action.done is None else format_time(action.done),
        "done_by": action.done_by,
        "overdue": action.done is None and action.due <= now,
    }


def _require_text(place: str, text: str, longest: int = _LONGEST) -> None:
    if not text.strip():
        raise UserMistake(place, "says nothing", "Write a few words.")
    if len(text) > longest:
        raise UserMistake(place, f"has {len(text)} characters", f"Write {longest} at most.")
