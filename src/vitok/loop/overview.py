"""The first page: is the model well, what is it worth, what happens now, what waits for people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from vitok.kernel.clock import format_time
from vitok.loop.alerts import Record, alert_records
from vitok.loop.project import Project
from vitok.loop.standing import main_performance, standing
from vitok.loop.status import project_status
from vitok.monitor.incidents import Incident
from vitok.monitor.triggers import next_moment
from vitok.registry import incidents, questions, releases, requests, rollouts, turns
from vitok.registry.releases import Release
from vitok.registry.rollouts import Rollout

STAGES = (
    "charter",
    "data",
    "training",
    "acceptance",
    "approval",
    "release",
    "serving",
    "watching",
    "retraining",
)
_ACCEPTING = frozenset({"package", "verdict", "register", "tracking", "end"})
_GRAVE = frozenset({"high", "critical"})


def project_overview(project: Project) -> dict[str, Any]:
    """The object of the first page.

    Returns:
        status: what `vitok status --json` prints; health: `state` (none, unknown, well, watch, ill) and its `reasons`;
        worth: the kept figure of `vitok earned --json`; stage: where the coil is, one of `stages`; shares: of the
        versions that answer; needs: what waits for people, with the act that it needs; next: the next turn; history:
        quality through time and what happened.
    """
    status, now = project_status(project), project.clock()
    with project.engine.connect() as connection:
        alerts = alert_records(connection, since=datetime.min.replace(tzinfo=now.tzinfo))
        open_alerts = [each for each in alerts if each.alert.is_open]
        known = incidents.all_since(connection)
        history = releases.all_releases(connection)
        past = turns.all_turns(connection)
        stage = _stage(connection, history, past)
        needs = _needs(project, connection, open_alerts, known)
        events = _events(history, rollouts.all_rollouts(connection), past, alerts, known)
    return {
        "status": status,
        "health": _health(status, open_alerts, [each for each in known if each.state == "open"]),
        "worth": standing(project, "earned"),
        "stages": list(STAGES),
        "stage": stage,
        "shares": [] if not history else _shares(history[-1]),
        "needs": needs,
        "next": _next(project, past),
        "history": {**main_performance(project), "events": events},
    }


def _health(
    status: dict[str, Any], alerts: Sequence[Record], open_ones: Sequence[Incident]
) -> dict[str, Any]:
    """Whether the model is well; without a window that labels have judged, nobody knows."""
    if status["champion"] is None:
        return {"state": "none", "reasons": []}
    reasons = [
        {
            "text": each.alert.sentence,
            "path": f"/alerts/{each.id}",
            "grave": (each.alert.severity, each.alert.kind) == ("alarm", "quality"),
        }
        for each in alerts
    ]
    reasons += [
        {"text": each.title, "path": f"/incidents/{each.number}", "grave": each.severity in _GRAVE}
        for each in open_ones
    ]
    reasons.sort(key=lambda each: not each["grave"])
    if reasons:
        return {"state": "ill" if reasons[0]["grave"] else "watch", "reasons": reasons}
    judged = [status[name] for name in ("last_final_window", "last_window") if status[name] is not None]
    return {"state": "well" if any(each["quality"] for each in judged) else "unknown", "reasons": []}


def _stage(connection: Connection, history: Sequence[Release], past: Sequence[turns.Turn]) -> dict[str, Any]:
    """Where the coil is now: a turn that runs, people who are asked, a release under way, or watching."""
    turn = past[-1] if past else None
    if turn is not None and turn.state == "running":
        name = "data" if turn.stage == "data" else "acceptance" if turn.stage in _ACCEPTING else "training"
        path = f"/turns/{turn.number}"
        return {"name": name, "turn": turn.number, "since": format_time(turn.started), "path": path}
    rollout = rollouts.current(connection)
    if rollout is not None:
        path = f"/releases/{rollout.number}"
        return {"name": "release", "turn": None, "since": format_time(rollout.since), "path": path}
    asked = [each for each in requests.all_requests(connection) if each.state == "open"]
    if asked or any(each.answer is None for each in questions.all_questions(connection)):
        since = format_time(asked[0].asked) if asked else None
        return {"name": "approval", "turn": None, "since": since, "path": "/approvals"}
    if history:
        since = format_time(releases.answers_since(list(history)))
        return {"name": "watching", "turn": None, "since": since, "path": "/performance"}
    if turn is not None:
        return {"name": "acceptance", "turn": turn.number, "since": None, "path": f"/turns/{turn.number}"}
    return {"name": "charter", "turn": None, "since": None, "path": "/charter"}


def _shares(release: Release) -> list[dict[str, Any]]:
    """Which version answers which share; a shadow answers nothing."""
    arms = sorted(release.plan.arms, key=lambda arm: arm.role != "champion")
    return [{"version": arm.version, "role": arm.role, "share": arm.share} for arm in arms]


def _needs(
    project: Project, connection: Connection, alerts: Sequence[Record], known: Sequence[Incident]
) -> list[dict[str, Any]]:
    """What waits for people, the most pressing first."""
    now = project.clock()
    asked = sum(each.state == "open" for each in requests.all_requests(connection))
    asked += sum(each.answer is None for each in questions.all_questions(connection))
    unseen = [each for each in alerts if each.state(now) == "open"]
    to_close = sum(each.closed is None for each in known)
    actions = incidents.open_actions(connection)
    late = sum(each.due < now for each in actions)
    found = [
        {"what": "approvals", "count": asked, "path": "/approvals", "act": "approve"},
        {"what": "alerts", "count": len(unseen), "path": "/alerts", "act": "operate"},
        {"what": "incidents", "count": to_close, "path": "/incidents", "act": "operate"},
        {"what": "actions", "count": len(actions), "path": "/incidents", "act": "operate", "late": late},
    ]
    return [each for each in found if each["count"]]


def _next(project: Project, past: Sequence[turns.Turn]) -> dict[str, Any] | None:
    """The next turn that a schedule asks for, and what else may start one."""
    triggers = project.document.rules.triggers
    if not triggers:
        return None
    moments = [] if not past else [(next_moment(each, past[-1].started), str(each)) for each in triggers]
    due = min(((moment, why) for moment, why in moments if moment is not None), default=None)
    scheduled = {why for moment, why in moments if moment is not None}
    return {
        "time": None if due is None else format_time(max(due[0], project.clock())),
        "why": None if due is None else due[1],
        "or_on": [str(each) for each in triggers if str(each) not in scheduled],
    }


def _events(
    history: Sequence[Release],
    tried: Sequence[Rollout],
    past: Sequence[turns.Turn],
    alerts: Sequence[Record],
    known: Sequence[Incident],
) -> list[dict[str, Any]]:
    """What happened, oldest first."""
    new = [now for before, now in zip([None, *history], history, strict=False) if _differs(before, now)]
    found = [_event(each.created, "release", each.version, "/releases") for each in new]
    found += [
        _event(each.ended, "rollback", each.version, f"/releases/{each.number}")
        for each in tried
        if each.state == "rolled back" and each.ended is not None
    ]
    found += [
        _event(each.started, "refused", each.version or each.number, f"/turns/{each.number}")
        for each in past
        if each.state == "refused"
    ]
    found += [
        _event(each.alert.opened, "alert", ", ".join(each.alert.what), f"/alerts/{each.id}")
        for each in alerts
    ]
    found += [_event(each.detected, "incident", each.number, f"/incidents/{each.number}") for each in known]
    return sorted(found, key=lambda each: each["time"])


def _event(time: datetime, kind: str, about: Any, path: str) -> dict[str, Any]:
    return {"time": format_time(time), "kind": kind, "about": about, "path": path}


def _differs(before: Release | None, now: Release) -> bool:
    return before is None or before.version != now.version
