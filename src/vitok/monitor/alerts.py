"""Alerts: related findings grouped into one, opened by evidence that holds the budget, closed when it is gone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from vitok.kernel.clock import format_time
from vitok.monitor.drift import SCORE, DriftFinding
from vitok.monitor.evidence import Family, Verdict
from vitok.monitor.windows import Window

Kind = Literal["drift", "quality", "security"]
Severity = Literal["notice", "alarm"]

_NAMED = 5
_FAMILIES: Mapping[Kind, tuple[Family, ...]] = {
    "drift": ("inputs", "score", "estimate", "features"),
    "quality": ("quality", "rules"),
}
# Features that moved while neither scores nor inputs nor quality suffer are told, but start nothing.
_CALM: frozenset[Family] = frozenset({"features"})
_REMEDIES: Mapping[Family, str] = {
    "inputs": "Check the source of {names} first; if the data is right, retrain on recent rows.",
    "score": "Compare quality as soon as labels come; retrain on recent rows.",
    "estimate": "Compare quality as soon as labels come; retrain on recent rows. An estimate is no proof.",
    "features": "Nothing has to be done unless quality falls; a reference of a full season avoids such notices.",
    "quality": "Retrain on recent rows; if the new version is refused as well, roll back or fall back to the rule.",
    "rules": "Look at the rows that the rule names; retrain with more of them, or hand them over to people.",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person or a trigger should look at.

    Args:
        kind: What it is about.
        severity: `alarm` may start a turn; a `notice` is only told: features moved, but neither the scores nor the
            quality, and no input is broken.
        since: Start of the window with which the evidence began to grow.
        opened: When it was raised: the end of a window.
        last_window: Start of the last window that was judged.
        what: Columns or metrics concerned, the worst first.
        sentence: What moved, where, how sure that is, and what it does to quality and money.
        remedy: What to do.
        runbook: The section of the run book that says how.
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
    runbook: str = ""
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
    verdicts: Mapping[Family, Verdict],
    cooldown: timedelta | None = None,
    *,
    kinds: Iterable[Kind] = ("drift", "quality"),
    harm: Mapping[Kind, str] | None = None,
) -> AlertStep:
    """Takes one window into account.

    An alert opens with the window in which a family of its kind cries, takes up what the families name while any of
    them holds, and ends when none does. Within the cool-down after its end no alert of the kind is raised, unless it is
    an alarm and the last one was a notice. One that a person closed comes back only when a family cries anew.

    Args:
        alerts: The open alerts, and the resolved ones that are still within their cool-down.
        window: Windows come in the order of time; one that an alert has already taken up is passed over.
        verdicts: What the evidence says after this window; families that it does not judge are left out.
        cooldown: Time after a resolved alert without a new one of its kind.
        kinds: What to judge; a window judged for drift when it closed is later judged for quality alone.
        harm: By kind what else the alert should say: where it is, and what it does to quality and money.
    """
    opened: list[Alert] = []
    still: list[Alert] = []
    resolved: list[Alert] = []
    kinds = tuple(kinds)
    for kind in kinds:
        mine = [alert for alert in alerts if alert.kind == kind]
        current = next((alert for alert in mine if alert.is_open), None)
        judged = {family: verdicts[family] for family in _FAMILIES[kind] if family in verdicts}
        condition = _condition(kind, window, judged, (harm or {}).get(kind, ""))
        if current is not None:
            if judged and window.start > current.last_window:
                current = _advanced(current, condition, window)
                if condition is not None and current.opened == window.end:
                    opened.append(current)
            (still if current.is_open else resolved).append(current)
        elif (
            condition is not None
            and any(verdict.cries for verdict in judged.values())
            and not _cooling(condition, mine, window, cooldown)
        ):
            opened.append(condition)
            still.append(condition)
    others = [alert for alert in alerts if alert.is_open and alert.kind not in kinds]
    return AlertStep(tuple(opened), (*still, *others), tuple(resolved))


def _condition(kind: Kind, window: Window, judged: Mapping[Family, Verdict], harm: str) -> Alert | None:
    """The alert that the families of a kind ask for now, if any of them holds."""
    holding = {family: verdict for family, verdict in judged.items() if verdict.holds}
    if not holding:
        return None
    worst = next(family for family in _FAMILIES[kind] if family in holding)
    severity: Severity = "notice" if set(holding) <= _CALM else "alarm"
    verdict = holding[worst]
    since = window.start - (window.end - window.start) * max(0, verdict.windows - 1)
    if kind == "drift":
        told = _moved(window.drift, holding)
        names, sentences = tuple(f.column for f in told), [f.sentence for f in told]
    else:
        fallen = [f for f in window.fallen if f.evidence > 1 or f.alarm]
        names, sentences = tuple(f.metric for f in fallen), [f.sentence for f in fallen]
    names = names or tuple(dict.fromkeys(name for each in holding.values() for name in each.named))
    more = f"And {len(names) - _NAMED} more." if len(names) > _NAMED else ""
    calm = "The distribution of the scores did not move." if set(holding) <= _CALM else ""
    parts = [*sentences[:_NAMED], more, calm, _how_sure(verdict, since), harm]
    remedy = _REMEDIES[worst].format(names=", ".join(_faulty(window.drift) or names[:_NAMED]))
    return Alert(
        kind,
        severity,
        since,
        window.end,
        window.start,
        names,
        " ".join(part for part in parts if part),
        remedy,
        f"{kind}-{worst}",
    )


def _moved(findings: Sequence[DriftFinding], holding: Mapping[Family, Verdict]) -> list[DriftFinding]:
    """The findings that an alert speaks of: faults first, then the score, then the features that stand out."""
    named = {name for family in ("inputs", "features") for name in _named_by(holding, family)}
    told = [f for f in findings if f.moved and (f.column == SCORE or f.is_fault or f.column in named)]
    if "score" in holding:
        told = list(
            dict.fromkeys([*told, *(f for f in findings if f.column == SCORE and f.status != "undecidable")])
        )
    return sorted(told, key=lambda f: (not f.is_fault, f.column != SCORE, -(f.psi or 0.0)))


def _named_by(holding: Mapping[Family, Verdict], family: str) -> tuple[str, ...]:
    verdict = holding.get(family)  # type: ignore[call-overload]
    return () if verdict is None else verdict.named


def _faulty(findings: Sequence[DriftFinding]) -> list[str]:
    return [finding.column for finding in findings if finding.is_fault][:_NAMED]


def _how_sure(verdict: Verdict, since: datetime) -> str:
    often = f"{verdict.limit:,.0f}".replace(",", " ")
    return (
        f"Evidence has grown since {since:%Y-%m-%d %H:%M}; without a change such an alarm comes "
        f"once in {often} windows at most."
    )


def _advanced(alert: Alert, condition: Alert | None, window: Window) -> Alert:
    """An open alert after one more window: still there, worse, milder, or over."""
    if condition is None:
        return replace(alert, last_window=window.start, resolved=window.end)
    if alert.severity == "notice" and condition.severity == "alarm":
        return replace(condition, since=min(alert.since, condition.since))
    return replace(condition, since=alert.since, opened=alert.opened)


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
