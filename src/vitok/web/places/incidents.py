"""Incidents: what went wrong, who does what about it, and what is learned of it."""

from typing import Any

from vitok.charter.incidents import SEVERITIES
from vitok.kernel.clock import parse_time
from vitok.loop.incident_acts import (
    add_action,
    close_incident,
    finish_action,
    list_incidents,
    note_incident,
    open_incident,
    show_incident,
)
from vitok.loop.postmortem import post_mortem
from vitok.loop.project import Project
from vitok.web.language import marked as _
from vitok.web.naming import number_of
from vitok.web.place import Ask, Deed, Place, Values


def _list(project: Project, asked: Values) -> Values:
    return {**list_incidents(project, closed=asked["closed"]), "severities": list(SEVERITIES)}


def _open(project: Project, who: str, values: Values) -> Values:
    severity: Any = values["severity"]
    return open_incident(project, values["title"], severity=severity, actor=who)


def _add(project: Project, who: str, values: Values) -> Values:
    due = parse_time(values["due"], "due")
    number = number_of(values, "incident")
    return add_action(project, number, values["text"], owner=values["owner"], due=due, actor=who)


def _finish(project: Project, who: str, values: Values) -> Values:
    which = number_of(values, "action", "action")
    return finish_action(project, number_of(values, "incident"), which, actor=who)


PLACES = (
    Place(
        "/incidents",
        "incidents.html",
        _list,
        "The incidents, the newest first, with the mean times to notice and to end them, and actions to be done.",
        asks={"closed": Ask(bool, help="Also those that are closed.")},
    ),
    Place(
        "/incidents/{number}",
        "incident.html",
        lambda project, asked: show_incident(project, number_of(asked, "incident")),
        "One incident: its time line, what it is tied to, and its actions.",
    ),
    Place(
        "/incidents/{number}/postmortem",
        "postmortem.html",
        lambda project, asked: post_mortem(project, None, number_of(asked, "incident")),
        "What a post-mortem is drafted from: what the incident did, and what had changed before it.",
    ),
)

DEEDS = (
    Deed(
        "/incidents",
        _open,
        "Opens an incident by hand.",
        act="operate",
        then="/incidents",
        said=_("The incident is opened."),
        asks={
            "title": Ask(needed=True, help="What is wrong, in a few words."),
            "severity": Ask(choices=SEVERITIES, help="How grave it is. Default: as the charter says."),
        },
    ),
    Deed(
        "/incidents/{number}/note",
        lambda project, who, values: note_incident(
            project, number_of(values, "incident"), values["text"], actor=who
        ),
        "Adds a line to the time line.",
        act="operate",
        then="/incidents/{number}",
        said=_("Your note stands in the time line."),
        asks={"text": Ask(needed=True, help="What was seen or done.")},
    ),
    Deed(
        "/incidents/{number}/close",
        lambda project, who, values: close_incident(
            project, number_of(values, "incident"), values["cause"], actor=who
        ),
        "Puts an incident to rest.",
        act="operate",
        then="/incidents/{number}",
        said=_("The incident is closed."),
        asks={"cause": Ask(needed=True, help="What it was.")},
    ),
    Deed(
        "/incidents/{number}/actions",
        _add,
        "Writes down what is to be done so that it does not come again.",
        act="operate",
        then="/incidents/{number}",
        said=_("The action is written down."),
        asks={
            "text": Ask(needed=True, help="What is to be done."),
            "owner": Ask(needed=True, help="Who answers for it."),
            "due": Ask(needed=True, help="By when, such as 2026-03-01."),
        },
    ),
    Deed(
        "/incidents/{number}/actions/{action}/finish",
        _finish,
        "Marks an action as done.",
        act="operate",
        then="/incidents/{number}",
        said=_("The action is done."),
    ),
)
