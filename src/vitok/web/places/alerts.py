"""Alerts: what watching found, and what people do about it: acknowledge, snooze, close."""

from vitok.kernel.clock import parse_duration
from vitok.loop.alerts import acknowledge, close_alert, list_alerts, show_alert, snooze
from vitok.loop.project import Project
from vitok.web.language import marked as _
from vitok.web.place import Ask, Deed, Place, Values

_NOTE = Ask(help="What there is to say about it.")
_SNOOZES = ("1h", "8h", "1d", "3d", "7d", "30d")

PLACES = (
    Place(
        "/alerts",
        "alerts.html",
        lambda project, asked: list_alerts(project, ended=asked["ended"]),
        "The open alerts, the newest first.",
        asks={"ended": Ask(bool, help="Also those that ended.")},
    ),
    Place(
        "/alerts/{name}",
        "alert.html",
        lambda project, asked: {**show_alert(project, asked["name"]), "snoozes": list(_SNOOZES)},
        "One alert: what moved, since when, what to do, what was done, and who was told.",
    ),
)


def _acknowledge(project: Project, who: str, values: Values) -> Values:
    return acknowledge(project, values["name"], note=values["note"] or "", actor=who)


def _snooze(project: Project, who: str, values: Values) -> Values:
    duration = parse_duration(values["duration"], "duration")
    return snooze(project, values["name"], duration=duration, note=values["note"] or "", actor=who)


DEEDS = (
    Deed(
        "/alerts/{name}/acknowledge",
        _acknowledge,
        "Says that somebody looks after an alert, so that nobody is reminded of it.",
        act="operate",
        then="/alerts/{name}",
        said=_("You look after this alert: nobody is reminded of it."),
        asks={"note": _NOTE},
    ),
    Deed(
        "/alerts/{name}/snooze",
        _snooze,
        "Keeps reminders of an alert silent for a time.",
        act="operate",
        then="/alerts/{name}",
        said=_("Reminders of this alert are silent for that time."),
        asks={"duration": Ask(needed=True, help="How long, such as 3d."), "note": _NOTE},
    ),
    Deed(
        "/alerts/{name}/close",
        lambda project, who, values: close_alert(project, values["name"], note=values["note"], actor=who),
        "Ends an alert by hand.",
        act="operate",
        then="/alerts/{name}",
        said=_("The alert is closed."),
        asks={"note": Ask(needed=True, help="Why it is over, or nothing to worry about.")},
    ),
)
