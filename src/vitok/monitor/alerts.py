"""Alerts: related findings grouped into one, opened by evidence that holds the budget, closed when it is gone."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from vitok.kernel.clock import format_time
from vitok.monitor.drift import SCORE, DriftFinding
from vitok.monitor.evidence import Family, Verdict
from vitok.monitor.windows import Window

Kind = Literal["drift", "quality", "volume", "security"]
Severity = Literal["notice", "alarm"]

_NAMED = 5
_FAMILIES: Mapping[Kind, tuple[Family, ...]] = {
    "drift": ("inputs", "score", "features"),
    "quality": ("quality", "rules", "estimate"),
    "volume": ("volume",),
}
# Features that moved while neither scores nor inputs nor quality suffer, and estimates, are told but start nothing.
_CALM: frozenset[Family] = frozenset({"features", "estimate"})
BROKEN_INPUTS = "drift-inputs"  # the section of the run book of an alarm whose inputs look broken
_REMEDIES: Mapping[Family, str] = {
    "inputs": "Check the source of {names} first; if the data is right, retrain on recent rows.",
    "score": "Compare quality as soon as labels come; retrain on recent rows.",
    "estimate": "Wait for labels before anything is changed: an estimate is no proof. Look for what moved meanwhile.",
    "features": "Nothing has to be done unless quality falls; a reference of a full season avoids such notices.",
    "quality": "Retrain on recent rows; if the new version is refused as well, roll back or fall back to the rule.",
    "rules": "Look at the rows that the rule names; retrain with more of them, or hand them over to people.",
    "volume": "Look whether callers, workers, the journal's mover and the source of outcomes are at work; retraining "
    "does not help.",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person or a trigger should look at.

    Args:
        kind: What it is about.
        severity: `alarm` may start a turn; a `notice` is only told: features moved, but neither the scores nor the
            quality, and no input is broken; or quality fell by an estimate that no label has confirmed.
        since: Start of the window with which the evidence began to grow.
        opened: When it was raised: at the end of a window, or when the window's labels had come.
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
        opened: Alerts that are new; also one that rose from notice to alarm, or that another family joined.
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
    at: datetime | None = None,
    standing: Mapping[Family, Verdict] | None = None,
    harm: Mapping[Kind, str] | None = None,
) -> AlertStep:
    """Takes one window into account.

    An alert opens with the window in which a family of its kind cries, takes up what the families name while any of
    them holds, and ends when none does. It is told again when another family cries meanwhile. Within the cool-down
    after its end no alert of the kind is raised, unless it is an alarm and the last one was a notice. One that a person
    closed comes back only when a family cries anew.

    Args:
        alerts: The open alerts, and the resolved ones that are still within their cool-down.
        window: The window; each is taken up when it closes and again when its labels have come.
        verdicts: What the evidence says after this window, of the families that it judges.
        cooldown: Time after a resolved alert without a new one of its kind.
        at: When the window could be judged so: its end, or when its labels had come. Default: its end.
        standing: What it said last of the others.
        harm: By kind what else the alert should say: where it is, and what it does to quality and money.
    """
    opened: list[Alert] = []
    still: list[Alert] = []
    resolved: list[Alert] = []
    at = window.end if at is None else at
    for kind, families in _FAMILIES.items():
        mine = [alert for alert in alerts if alert.kind == kind]
        current = next((alert for alert in mine if alert.is_open), None)
        known = {**(standing or {}), **verdicts}
        holding = {family: known[family] for family in families if family in known and known[family].holds}
        if not set(families) & set(verdicts):
            still += [] if current is None else [current]
            continue
        fresh = {family: verdict for family, verdict in holding.items() if family in verdicts}
        condition = _condition(kind, window, at, fresh, holding, (harm or {}).get(kind, ""))
        if current is not None:
            current = _advanced(current, condition, window, at, holds=bool(holding), again=_again(fresh))
            if condition is not None and current.opened == at:
                opened.append(current)
            (still if current.is_open else resolved).append(current)
        elif (
            condition is not None
            and any(verdict.cries for verdict in fresh.values())
            and not _cooling(condition, mine, at, cooldown)
        ):
            opened.append(condition)
            still.append(condition)
    others = [alert for alert in alerts if alert.is_open and alert.kind not in _FAMILIES]
    return AlertStep(tuple(opened), (*still, *others), tuple(resolved))


def _condition(
    kind: Kind,
    window: Window,
    at: datetime,
    fresh: Mapping[Family, Verdict],
    holding: Mapping[Family, Verdict],
    harm: str,
) -> Alert | None:
    """The alert that this window asks for; None if what holds is not what it judges, or a graver family holds."""
    worst = next((family for family in _FAMILIES[kind] if family in holding), None)
    if worst is None or worst not in fresh:
        return None
    severity: Severity = "notice" if set(holding) <= _CALM else "alarm"
    verdict = fresh[worst]
    since = window.start - (window.end - window.start) * max(0, verdict.windows - 1)
    names, sentences = _told(kind, worst, window, holding)
    cries = any(verdict.cries for verdict in fresh.values())
    if cries and not names:
        names = tuple(dict.fromkeys(name for each in fresh.values() for name in each.named))
    more = f"And {len(names) - _NAMED} more." if len(names) > _NAMED else ""
    calm = "The distribution of the scores did not move." if set(holding) == {"features"} else ""
    parts = [*sentences[:_NAMED], more, calm, _how_sure(verdict, since), harm]
    remedy = _REMEDIES[worst].format(names=", ".join(_faulty(window.drift) or names[:_NAMED]))
    return Alert(
        kind,
        severity,
        since,
        at,
        window.start,
        names,
        " ".join(part for part in parts if part),
        remedy,
        f"{kind}-{worst}",
    )


def _told(
    kind: Kind, worst: Family, window: Window, holding: Mapping[Family, Verdict]
) -> tuple[tuple[str, ...], list[str]]:
    """Columns or metrics that an alert names, and what it says of each."""
    if kind == "drift":
        moved = _moved(window.drift, holding)
        return tuple(finding.column for finding in moved), [_of_all_windows(finding) for finding in moved]
    if kind == "volume":
        told = [
            (name, f.sentence)
            for f in window.volume
            for name, each in f.members.items()
            if sum(each) > len(each)
        ]
        return tuple(name for name, _ in told), [f"Too few or too many {sentence}" for _, sentence in told]
    if worst == "estimate":
        return tuple(f.metric for f in window.foretold), [
            f"Estimated without labels: {f.sentence}" for f in window.foretold
        ]
    fallen = [finding for finding in window.fallen if finding.speaks or finding.alarm]
    return tuple(finding.metric for finding in fallen), [finding.sentence for finding in fallen]


def _moved(findings: Sequence[DriftFinding], holding: Mapping[Family, Verdict]) -> list[DriftFinding]:
    """The findings that an alert speaks of: faults first, then the score, then the features that stand out."""
    moved = _named_by(holding, "features")
    told = [
        finding
        for finding in findings
        if (finding.is_fault and "inputs" in holding)
        or (finding.column == SCORE and finding.status != "undecidable" and "score" in holding)
        or (finding.shifted and finding.column in moved)
    ]
    return sorted(told, key=lambda f: (not f.is_fault, f.column != SCORE))  # the findings come by weight


def _of_all_windows(finding: DriftFinding) -> str:
    if finding.moved:
        return finding.sentence
    return f"{finding.sentence} No window by itself is unusual, all together are."


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


def _again(fresh: Mapping[Family, Verdict]) -> bool:
    """Whether a family cries that people should hear of although an alert is open: a broken input after a season."""
    return any(verdict.cries for family, verdict in fresh.items() if family not in _CALM)


def _advanced(
    alert: Alert, condition: Alert | None, window: Window, at: datetime, *, holds: bool, again: bool
) -> Alert:
    """An open alert after one more window: still there, worse, milder, or over."""
    last = max(alert.last_window, window.start)
    if not holds:
        return replace(alert, last_window=last, resolved=at)
    if condition is None or not condition.what:
        return replace(alert, last_window=last)  # a calm window has nothing to add
    if again or (alert.severity == "notice" and condition.severity == "alarm"):
        return replace(condition, since=min(alert.since, condition.since))
    return replace(condition, since=alert.since, opened=alert.opened, last_window=last)


def _cooling(condition: Alert, past: Sequence[Alert], at: datetime, cooldown: timedelta | None) -> bool:
    """Whether the last alert of the kind ended too recently."""
    if not past:
        return False
    last = max(past, key=lambda alert: alert.resolved or alert.opened)
    if last.severity == "notice" and condition.severity == "alarm":
        return False
    return cooldown is not None and last.resolved is not None and at < last.resolved + cooldown
