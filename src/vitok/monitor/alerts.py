"""Alerts: of all findings of a window at most one on drift and one on quality, none that repeats itself."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from vitok.kernel.clock import format_time
from vitok.monitor.drift import SCORE, DriftFinding
from vitok.monitor.windows import Window

Kind = Literal["drift", "quality", "security"]
Severity = Literal["notice", "alarm"]

CALM_WINDOWS = 2
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person or a trigger should look at.

    Args:
        kind: What it is about.
        severity: `alarm` may start a turn; a `notice` is only told. Drift is an alarm if the score moved, or
            missing values or unseen levels jumped; features that merely moved with the season are a notice.
        since: Start of the first window with the condition.
        opened: When it was raised: the end of that window.
        last_window: Start of the last window that was judged.
        what: Columns or metrics concerned, the worst first.
        sentence: What moved and how sure that is.
        remedy: What to do.
        calm: How many windows in a row were without the condition.
        resolved: When it ended; None while it is open.
    """

    kind: Kind
    severity: Severity
    since: datetime
    opened: datetime
    last_window: datetime
    what: tuple[str, ...]
    sentence: str
    remedy: str
    calm: int = 0
    resolved: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether the condition still holds."""
        return self.resolved is None

    def as_json(self) -> dict[str, Any]:
        """The alert as JSON values."""
        times = {name: format_time(getattr(self, name)) for name in ("since", "opened", "last_window")}
        resolved = None if self.resolved is None else format_time(self.resolved)
        return {**asdict(self), **times, "what": list(self.what), "resolved": resolved}


@dataclass(frozen=True, slots=True)
class AlertStep:
    """What one window changes.

    Args:
        opened: Alerts that are new; also one that rose from notice to alarm.
        open: All that are open after this window, the new ones among them.
        resolved: Alerts that ended with this window.
    """

    opened: tuple[Alert, ...]
    open: tuple[Alert, ...]
    resolved: tuple[Alert, ...]


def new_alerts(
    alerts: Sequence[Alert],
    window: Window,
    cooldown: timedelta | None = None,
    *,
    kinds: Iterable[Kind] = ("drift", "quality"),
) -> AlertStep:
    """Takes one window into account.

    A window without a judgement (open, too few rows, labels to come) changes nothing. An open alert takes up
    what its condition names now; after two windows without it the alert is resolved. Within the cool-down
    after that no alert of the kind is raised, unless it is an alarm and the last one was a notice.

    Args:
        alerts: The open alerts, and the resolved ones that are still within their cool-down.
        window: Windows come in the order of time; one that an alert has already taken up is passed over.
        cooldown: Time after a resolved alert without a new one of its kind.
        kinds: What to judge; a window judged for drift when it closed is later judged for quality alone.
    """
    opened: list[Alert] = []
    still: list[Alert] = []
    resolved: list[Alert] = []
    for kind in kinds:
        mine = [alert for alert in alerts if alert.kind == kind]
        current = next((alert for alert in mine if alert.is_open), None)
        judged, condition = _condition(kind, window)
        if current is not None:
            if judged and window.start > current.last_window:
                current = _advanced(current, condition, window)
                if condition is not None and current.opened == window.end:
                    opened.append(current)
            (still if current.is_open else resolved).append(current)
        elif condition is not None and not _cooling(condition, mine, window, cooldown):
            opened.append(condition)
            still.append(condition)
    others = [alert for alert in alerts if alert.is_open and alert.kind not in set(kinds)]
    return AlertStep(tuple(opened), (*still, *others), tuple(resolved))


def _condition(kind: Kind, window: Window) -> tuple[bool, Alert | None]:
    """Whether the window judges this kind at all, and the alert that it would raise."""
    if window.state == "open":
        return False, None
    return _drift(window) if kind == "drift" else _quality(window)


def _drift(window: Window) -> tuple[bool, Alert | None]:
    decided = [finding for finding in window.drift if finding.status != "undecidable"]
    found = [finding for finding in decided if finding.alarm]
    if not found:
        return bool(decided), None
    severity: Severity = "alarm" if any(map(_is_alarming, found)) else "notice"
    ranked = sorted(found, key=lambda finding: (not _is_alarming(finding), -(finding.psi or 0.0)))
    names = tuple(finding.column for finding in ranked)
    more = f" And {len(names) - _NAMED} more." if len(names) > _NAMED else ""
    calm = "" if severity == "alarm" else " The distribution of the scores did not move."
    sentence = " ".join(finding.sentence for finding in ranked[:_NAMED]) + more + calm
    return True, _alert("drift", severity, window, names, sentence, _drift_remedy(ranked, severity))


def _is_alarming(finding: DriftFinding) -> bool:
    """Whether a finding is more than a feature that moved: the score, missing values, unseen levels."""
    lost = finding.missing_changed and finding.missing_now > finding.missing_then
    return finding.column == SCORE or lost or finding.unseen_jumped


def _drift_remedy(found: Sequence[DriftFinding], severity: Severity) -> str:
    broken = [finding.column for finding in found if finding.column != SCORE and _is_alarming(finding)]
    if broken:
        names = ", ".join(broken[:_NAMED])
        return f"Check the source of {names} first; if the data is right, retrain on recent rows."
    if severity == "alarm":
        return "Compare quality as soon as labels come; retrain on recent rows."
    return "Nothing has to be done unless quality falls; a reference of a full season avoids such notices."


def _quality(window: Window) -> tuple[bool, Alert | None]:
    if window.state != "final" or not window.fallen:
        return False, None
    found = [finding for finding in window.fallen if finding.alarm]
    if not found:
        return True, None
    sentence = " ".join(finding.sentence for finding in found[:_NAMED])
    remedy = (
        "Retrain on recent rows; if the new version is refused as well, roll back or fall back to the rule."
    )
    return True, _alert(
        "quality", "alarm", window, tuple(finding.metric for finding in found), sentence, remedy
    )


def _alert(
    kind: Kind, severity: Severity, window: Window, what: tuple[str, ...], sentence: str, remedy: str
) -> Alert:
    return Alert(kind, severity, window.start, window.end, window.start, what, sentence, remedy)


def _advanced(alert: Alert, condition: Alert | None, window: Window) -> Alert:
    """An open alert after one more window: still there (perhaps worse), calmer, or resolved."""
    if condition is None:
        calm = alert.calm + 1
        resolved = window.end if calm >= CALM_WINDOWS else None
        return replace(alert, last_window=window.start, calm=calm, resolved=resolved)
    if alert.severity == "notice" and condition.severity == "alarm":
        return replace(condition, since=alert.since)
    if alert.severity == "alarm" and condition.severity == "notice":
        calm = alert.calm + 1
        if calm < CALM_WINDOWS:
            return replace(alert, last_window=window.start, calm=calm)
        return replace(condition, since=alert.since, opened=alert.opened)
    return replace(
        alert,
        last_window=window.start,
        what=condition.what,
        sentence=condition.sentence,
        remedy=condition.remedy,
        calm=0,
    )


def _cooling(condition: Alert, past: Sequence[Alert], window: Window, cooldown: timedelta | None) -> bool:
    """Whether the last alert of the kind ended too recently, or has already judged this window."""
    if not past:
        return False
    last = max(past, key=lambda alert: alert.resolved or alert.opened)
    if window.start <= last.last_window:
        return True
    if last.severity == "notice" and condition.severity == "alarm":
        return False
    return cooldown is not None and last.resolved is not None and window.end < last.resolved + cooldown
