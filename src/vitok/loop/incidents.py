"""Incidents as the loop keeps them: opened, tied to what belongs to them, first aid given, ended when it is over.

Each look compares what is known with what is written down and adds what is missing, so that whatever is cut off at
any moment is made up for by the next look.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from vitok.errors import VitokError
from vitok.govern import audit
from vitok.kernel.clock import format_time
from vitok.loop.incident_signals import all_signals, belonging, is_active
from vitok.loop.notify import emit
from vitok.loop.project import Project
from vitok.loop.release import FALLBACK, answer_normally, answer_safely
from vitok.loop.rollout import end_by_hand
from vitok.monitor.incidents import (
    BY_ITSELF,
    Incident,
    Step,
    What,
    may_fall_back,
    may_roll_back,
    next_steps,
)
from vitok.registry import incidents, releases, rollouts, windows
from vitok.registry.incidents import Note
from vitok.registry.releases import Release

ACTOR = "vitok"
_AID = "first aid"
LEAST_FALLEN = 2  # windows in a row: one alone may be chance
_TOLD: dict[What, str] = {
    "opened": "The incident was opened",
    "came back": "The trouble came back",
    "recovered": "The cause is gone",
    "closed": f"The incident was closed: {BY_ITSELF}",
}


def look_after_incidents(project: Project) -> list[Step]:
    """Opens incidents, brings those that are not closed up to date, and gives first aid where the charter wants it.

    Returns:
        What changed.
    """
    now = project.clock()
    with project.engine.connect() as connection:
        pending, seen = incidents.all_pending(connection), incidents.all_links(connection)
        signals = all_signals(connection, now, pending, seen)
    steps = next_steps(signals, pending, seen, project.charter.incidents, ACTOR)
    done = [written for step in steps if (written := _write(project, step, now)) is not None]
    with project.engine.connect() as connection:
        pending = incidents.all_pending(connection)
    for incident in pending:
        _give_first_aid(project, incident)
    _end_first_aid(project)
    closed = [step.incident for step in done if step.incident.closed is not None]
    for incident in (each for each in (*pending, *closed) if is_active(each, now)):
        _bring_up_to_date(project, incident, now)
    _remind_of_actions(project, now)
    return done


def _write(project: Project, step: Step, now: datetime) -> Step | None:
    """Writes a step down, all of it or nothing; None if somebody else was faster."""
    try:
        with project.engine.begin() as connection:
            incident = step.incident
            if incident.number == 0:
                incident = incidents.begin(connection, incident)
            elif not incidents.change(connection, incidents.get(connection, incident.number), incident):
                return None
            for signal in step.fresh:
                incidents.link(connection, incident.number, signal.source)
                kind, name = signal.source
                about = f"about {kind} {name}"
                incidents.note(
                    connection, incident.number, Note(about, signal.detected, kind, "", signal.sentence)
                )
            for what in step.happened:
                _tell(project, connection, incident, what, now, step)
    except IntegrityError:  # of the same cause, by another process: the next look ties what is new to it
        return None
    for what in step.happened:
        project.say(f"Incident {incident.number} ({incident.severity}) {what}: {incident.title}")
    return replace(step, incident=incident)


def _tell(
    project: Project, connection: Connection, incident: Incident, what: What, now: datetime, step: Step
) -> None:
    """Puts what happened into the time line, the audit log and the events."""
    times = {"recovered": incident.recovered, "closed": incident.closed}
    at = times.get(what) or now
    note = Note(f"{what} {format_time(at)}", at, what, ACTOR, _TOLD[what])
    incidents.note(connection, incident.number, note)
    sources = [" ".join(signal.source) for signal in step.fresh]
    details = {"kind": incident.kind, "severity": incident.severity, "because": sources}
    audit.record(connection, now, ACTOR, f"incident {what}", f"incident {incident.number}", details)
    tell(project, connection, incident, what, now, sentence=" ".join(s.sentence for s in step.fresh))


def tell(
    project: Project, connection: Connection, incident: Incident, happened: str, now: datetime, **more: Any
) -> None:
    """Emits the event that something happened to an incident."""
    data = {
        "happened": happened,
        "what": incident.title,
        "kind": incident.kind,
        "severity": incident.severity,
        "since": format_time(incident.began),
        "opened": format_time(incident.detected),
        **more,
    }
    emit(connection, project.charter, now, "incident", f"incident {incident.number}", data)


def _give_first_aid(project: Project, incident: Incident) -> None:
    """Goes back to the version before, or lets the fallback answer, each once, if that may help."""
    rules = project.charter.incidents
    if not rules.first_aid or incident.state != "open":
        return
    with project.engine.connect() as connection:
        history, under_way = releases.all_releases(connection), rollouts.current(connection)
        given = [note for note in incidents.notes_of(connection, incident.number) if note.kind == _AID]
        was_no_help = bool(given) and _was_no_help(connection, given[0], history)
    if not history or (given and (len(given) > 1 or not was_no_help)):
        return
    latest = releases.answers_since(history) if under_way is None else under_way.started
    is_back = under_way is None and releases.came_back(history)
    doubtful = history[-1].version if under_way is None else under_way.version
    try:
        if may_roll_back(incident, rules, latest=latest, is_back=is_back):
            text = _go_back(project, incident, doubtful)
        elif may_fall_back(incident, rules, is_releasing=under_way is not None):
            answer_safely(project, incident.number, actor=ACTOR)
            text = "Every row gets the fallback until this is over or a version is released"
        else:
            return
    except VitokError as error:
        text = f"First aid was not possible: {error}"
    now, about = project.clock(), f"{_AID} again" if given else _AID
    with project.engine.begin() as connection:
        incidents.note(connection, incident.number, Note(about, now, _AID, ACTOR, text))
    project.say(f"Incident {incident.number}: {text}")


def _was_no_help(connection: Connection, aid: Note, history: list[Release]) -> bool:
    """Whether quality fell in the two newest windows that began after a way back."""
    fell = windows.fell_since(connection, aid.time)[-LEAST_FALLEN:]
    return releases.came_back(history) and len(fell) == LEAST_FALLEN and all(fell)


def _go_back(project: Project, incident: Incident, away: int) -> str:
    reason = f"first aid of incident {incident.number}"
    released = end_by_hand(project, actor=ACTOR, reason=reason, away=away)
    return f"Went back to version {released.release.plan.champion.version}"


def _end_first_aid(project: Project) -> None:
    """Lets the model answer again when the incident is over for which the fallback was put in its place."""
    with project.engine.connect() as connection:
        release = releases.current(connection)
        if release is None or release.strategy != FALLBACK:
            return
        incident = incidents.get(connection, release.evidence["incident"])
    if incident.state == "open":
        return
    answer_normally(project, incident.number, actor=ACTOR)
    now, text = project.clock(), "The model answers again"
    with project.engine.begin() as connection:
        about = f"{_AID} ended {release.epoch}"
        incidents.note(connection, incident.number, Note(about, now, _AID, ACTOR, text))
    project.say(f"Incident {incident.number}: {text}")


def _bring_up_to_date(project: Project, incident: Incident, now: datetime) -> None:
    with project.engine.connect() as connection:
        links = incidents.links_of(connection, incident.number)
        known = {note.about for note in incidents.notes_of(connection, incident.number)}
        found = belonging(connection, incident, links, now)
    notes = [note for note in found.notes if note.about not in known]
    ties = set(found.links) - set(links)
    if notes or ties:
        with project.engine.begin() as connection:
            for note in notes:
                incidents.note(connection, incident.number, note)
            for tie in ties:
                incidents.link(connection, incident.number, tie)


def _remind_of_actions(project: Project, now: datetime) -> None:
    """Tells once of each action that was not done in time."""
    if not any("incident" in hook.on for hook in project.charter.notify):
        return
    with project.engine.begin() as connection:
        for action in incidents.open_actions(connection):
            if action.due <= now:
                incident = incidents.get(connection, action.incident)
                more = {"sentence": action.text, "owner": action.owner, "due": format_time(action.due)}
                happened = f"action {action.number} is overdue"
                tell(project, connection, incident, happened, action.due, **more)
