"""Alerts on callers who ask as somebody would who copies the model: what workers suspect, once a caller and day."""

from collections.abc import MutableMapping
from dataclasses import replace
from datetime import datetime, timedelta

from vitok.kernel.ids import new_id
from vitok.loop.notify import emit
from vitok.loop.project import Project
from vitok.monitor.alerts import Alert
from vitok.registry import windows as remembered
from vitok.store.suspicions import Pattern, Suspicion, read_suspicions

_OPEN_FOR = timedelta(days=2)
_LOOK_BACK = timedelta(days=4)
_REMEDY = "Ask who it is; `vitok keys revoke` shuts a key out, a quota and serve.decimals make copying slow."
_Key = tuple[str, datetime]


def take_up_suspicions(
    project: Project,
    now: datetime,
    open_alerts: MutableMapping[str, Alert],
    opened: MutableMapping[str, Alert],
    resolved: MutableMapping[str, Alert],
) -> None:
    """Raises an alert for each caller and day that workers suspect, tells of it, and ends those of past days.

    Args:
        open_alerts, opened, resolved: Alerts by id; they are brought up to date.
    """
    found: dict[_Key, dict[Pattern, Suspicion]] = {}
    for each in read_suspicions(project.state):
        day = each.time.replace(hour=0, minute=0, second=0, microsecond=0)
        if now - day < _OPEN_FOR:
            found.setdefault((each.caller, day), {}).setdefault(each.pattern, each)
    if not found and not any(alert.kind == "security" for alert in open_alerts.values()):
        return
    with project.engine.begin() as connection:
        recent = remembered.load_alerts(connection, resolved_after=now - _LOOK_BACK)
        known = {
            (alert.what[0], alert.since): (key, alert)
            for key, alert in recent.items()
            if alert.kind == "security"
        }
        for (caller, day), suspicions in found.items():
            sentence = " ".join(map(_sentence, suspicions.values()))
            if (caller, day) not in known:
                key = new_id(now)
                alert = Alert("security", "alarm", day, now, day, (caller,), sentence, _REMEDY)
                remembered.save_alert(connection, key, alert)
                emit(connection, project.charter, now, "alert", f"alert {key}", alert.as_json())
                open_alerts[key] = opened[key] = alert
            elif (caller_alert := known[caller, day])[1].is_open and caller_alert[1].sentence != sentence:
                key, alert = caller_alert[0], replace(caller_alert[1], sentence=sentence)
                remembered.update_alert(connection, key, alert)
                open_alerts[key] = alert
        for key, alert in known.values():
            if alert.is_open and now - alert.since >= _OPEN_FOR:
                resolved[key] = replace(alert, resolved=now)
                remembered.update_alert(connection, key, resolved[key])
                open_alerts.pop(key, None)


def _sentence(found: Suspicion) -> str:
    who = f"Caller {found.caller!r}"
    if found.pattern == "query_budget":
        return (
            f"{who} asked for {found.rows} rows on {found.time:%Y-%m-%d}, the budget is {found.tolerated:g}."
        )
    what = {
        "unlike_training": "were unlike any that training saw",
        "near_threshold": "scored within 0.01 of the threshold",
    }[found.pattern]
    return (
        f"{who} asks like somebody who copies the model: {found.hits} of {found.rows} rows {what}, "
        f"tolerated are {found.tolerated:.0%}."
    )
