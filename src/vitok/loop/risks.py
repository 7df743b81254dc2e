"""`vitok risks`: the risk register, and which risks are happening by what watches them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from vitok.charter.expressions import Comparison
from vitok.charter.planning import Risk
from vitok.charter.watchers import AlertWatcher, GateWatcher, Watcher, canonical_gate
from vitok.kernel.clock import format_time
from vitok.loop.project import Project
from vitok.monitor.alerts import Alert
from vitok.registry import versions
from vitok.registry import windows as remembered
from vitok.registry.versions import Version

_LEVELS = {"low": 1, "medium": 2, "high": 3}
_ORDER = ("happening", "quiet", "not judged yet", "nobody watches it")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a watcher says now: one of the states, since when, and in words."""

    state: str
    since: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Production:
    """What watchers look at; lists are in the order of time."""

    versions: list[Version]
    windows: list[dict[str, Any]]
    alerts: list[Alert]
    gates: dict[str, Comparison]


def risk_score(risk: Risk) -> int:
    """Likelihood times impact, each 1 to 3."""
    return _LEVELS[risk.likelihood] * _LEVELS[risk.impact]


def project_risks(project: Project) -> dict[str, Any]:
    """The object that `vitok risks --json` prints: happening ones first, then by score."""
    with project.engine.connect() as connection:
        production = _look(project, connection)
    rows = [
        _row(risk, watcher, _seen(watcher, production))
        for risk, watcher in zip(project.charter.risks, project.document.watchers, strict=True)
    ]
    rows.sort(key=lambda row: (row["state"] != "happening", -row["score"], _ORDER.index(row["state"])))
    return {"happening": sum(row["state"] == "happening" for row in rows), "risks": rows}


def _look(project: Project, connection: Connection) -> _Production:
    gates = {
        canonical_gate(text): rule
        for text, rule in zip(project.charter.accept, project.document.rules.gates, strict=True)
        if isinstance(rule, Comparison)
    }
    return _Production(
        versions=versions.all_versions(connection),
        windows=remembered.all_windows(connection),
        alerts=list(remembered.load_alerts(connection).values()),
        gates=gates,
    )


def _row(risk: Risk, watcher: Watcher | None, seen: _Seen) -> dict[str, Any]:
    return {
        "id": risk.id,
        "what": risk.what,
        "kind": risk.kind,
        "likelihood": risk.likelihood,
        "impact": risk.impact,
        "score": risk_score(risk),
        "status": risk.status,
        "owner": risk.owner,
        "mitigation": risk.mitigation,
        "watched_by": None if watcher is None else str(watcher),
        "state": seen.state,
        "since": None if seen.since is None else format_time(seen.since),
        "message": seen.message,
    }


def _seen(watcher: Watcher | None, production: _Production) -> _Seen:
    if watcher is None:
        return _Seen("nobody watches it")
    if isinstance(watcher, GateWatcher):
        return _gate(watcher, production)
    if watcher.column is None:
        return _any_alert(watcher, production)
    return _column(watcher, production)


def _gate(watcher: GateWatcher, production: _Production) -> _Seen:
    """A gate fires if the last verdict failed it, or if production breaks it for certain.

    The last window with labels breaks a gate on a number if the whole interval of the metric lies on the wrong side.
    """
    rule = production.gates.get(watcher.gate)
    names = {watcher.gate} if rule is None else {watcher.gate, canonical_gate(str(rule))}
    since, message, judged = None, "", False
    for version in reversed(production.versions):
        verdict = next((g for g in version.gates if canonical_gate(g["name"]) in names), None)
        if verdict is None:
            break  # an earlier charter without the gate: nothing is known of it
        judged = True
        if verdict["passed"] or verdict.get("waits_for"):
            break
        since, message = version.created, message or f"version {version.number}: {verdict['reason']}"
    if since is not None:
        return _Seen("happening", since, message)
    broken = None if rule is None else _broken_in_production(rule, production)
    return broken or _Seen("quiet" if judged else "not judged yet")


def _broken_in_production(rule: Comparison, production: _Production) -> _Seen | None:
    if rule.bound.reference is not None or rule.part is not None or rule.period is not None:
        return None  # windows are kept as a whole, and without what they would be compared with
    bound, final = rule.bound.offset, [window for window in production.windows if window["state"] == "final"]

    def breaks(window: dict[str, Any]) -> bool:
        found = window["quality"].get(rule.metric)
        return found is not None and (found["high"] < bound if rule.wants_high else found["low"] > bound)

    streak = _streak(final, breaks)
    if not streak:
        return None
    found = streak[-1]["quality"][rule.metric]
    message = (
        f"{rule.metric} {found['value']:.4g} [{found['low']:.4g}, {found['high']:.4g}] in the window of "
        f"{streak[-1]['start']:%Y-%m-%d} breaks `{rule}`"
    )
    return _Seen("happening", streak[0]["start"], message)


def _any_alert(watcher: AlertWatcher, production: _Production) -> _Seen:
    """An open alarm of the kind; a notice says that nothing has to be done."""
    for alert in production.alerts:
        if alert.kind == watcher.kind and alert.severity == "alarm":
            return _Seen("happening", alert.since, alert.sentence)
    judged = any(
        (window["state"] == "final") if watcher.kind == "quality" else window["drift"]
        for window in production.windows
    )
    return _Seen("quiet" if judged else "not judged yet")


def _column(watcher: AlertWatcher, production: _Production) -> _Seen:
    """An open drift alert, alarm or notice, that names the column; for `missing` because more values are missing."""
    judged = [window for window in production.windows if _finding(window, watcher.column) is not None]
    alert = next((each for each in production.alerts if each.kind == "drift"), None)
    if alert is None or watcher.column not in alert.what:
        return _Seen("quiet" if judged else "not judged yet")

    def names(window: dict[str, Any]) -> bool:
        finding = _finding(window, watcher.column)
        if finding is None or finding["status"] != "moved":
            return False
        lost = finding["missing_changed"] and finding["missing_now"] > finding["missing_then"]
        return watcher.kind == "drift" or bool(lost)

    # The alert stays open through calm windows; what it says is of the last window that had any condition.
    told = [
        window
        for window in judged
        if window["start"] <= alert.last_window
        and any(finding["status"] == "moved" for finding in window["drift"])
    ]
    streak = _streak(told, names)
    if not streak:
        return _Seen("quiet")
    finding = _finding(streak[-1], watcher.column)
    return _Seen("happening", streak[0]["start"], "" if finding is None else finding["sentence"])


def _finding(window: dict[str, Any], column: str | None) -> dict[str, Any] | None:
    return next((finding for finding in window["drift"] if finding["column"] == column), None)


def _streak(windows: list[dict[str, Any]], holds: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """The last windows of which each holds, oldest first; empty if the last one does not."""
    streak: list[dict[str, Any]] = []
    for window in reversed(windows):
        if not holds(window):
            break
        streak.insert(0, window)
    return streak
