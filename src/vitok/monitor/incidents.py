"""Incidents: what opens one, when it is over, and what may be done about it; pure functions of what is known."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from vitok.charter.incidents import SEVERITIES, Cause, Incidents, Severity
from vitok.monitor.service import mean_time

What = Literal["opened", "came back", "recovered", "closed"]
Source = tuple[str, str]  # a kind of thing and its name, such as ("alert", "01m8...")
BY_ITSELF = "its cause is gone"
_QUIET = timedelta(days=7)  # after which the same cause is another incident


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that an incident is about.

    Args:
        source: What says so.
        cause: What it is about, by kind and, where there may be several at once, name; `quality`, `security:ada`.
        kind: By which the charter says how grave it is.
        title: In a few words.
        sentence: In full.
        began: When the trouble began, as far as one can tell.
        detected: When it was noticed.
        over: When it ended; None while it goes on.
    """

    source: Source
    cause: str
    kind: Cause
    title: str
    sentence: str
    began: datetime
    detected: datetime
    over: datetime | None


@dataclass(frozen=True, slots=True)
class Incident:
    """Trouble on record, until a person has said what it was.

    Args:
        number: 0 before it is written down.
        actor: Who opened it.
        recovered: When its cause was gone; None while it goes on.
        closed: When it was put to rest; None until then.
        conclusion: What it was, in the words of who closed it.
    """

    number: int
    cause: str
    kind: Cause
    severity: Severity
    title: str
    actor: str
    began: datetime
    detected: datetime
    recovered: datetime | None = None
    closed: datetime | None = None
    closed_by: str | None = None
    conclusion: str = ""

    @property
    def state(self) -> str:
        """`open`, `recovered` (it waits to be closed) or `closed`."""
        if self.closed is not None:
            return "closed"
        return "open" if self.recovered is None else "recovered"


@dataclass(frozen=True, slots=True)
class Step:
    """How one incident goes on.

    Args:
        incident: As it is after the step.
        fresh: What it is linked to now and was not before.
        happened: What there is to tell, in its order.
    """

    incident: Incident
    fresh: tuple[Signal, ...]
    happened: tuple[What, ...]


def next_steps(
    signals: Sequence[Signal],
    pending: Sequence[Incident],
    seen: Collection[Source],
    rules: Incidents,
    actor: str,
) -> list[Step]:
    """What signals change about incidents; asked again after it was written down, it has nothing to add.

    A cause has one incident: further signals are linked to it, and it recovers when all of them are over. It goes on if
    the cause comes back within a week and before it is closed; later that is another incident, so that the time to
    recover is not that of a year in which it was quiet.

    Args:
        signals: All that are not over, and those of the past that may be new or belong to a pending incident.
        pending: The incidents that are not closed.
        seen: Sources that are linked to an incident, whether it is closed or not.
        rules: Of the charter.
        actor: Who opens what has to be opened.
    """
    known = {incident.cause: incident for incident in pending}
    causes: dict[str, list[Signal]] = {}
    for signal in sorted(signals, key=lambda each: each.detected):
        causes.setdefault(signal.cause, []).append(signal)
    steps = []
    for cause, about in causes.items():
        fresh = tuple(signal for signal in about if signal.source not in seen)
        if cause in known and not _is_another(known[cause], fresh):
            steps.append(_continued(known[cause], about, fresh, rules))
        elif fresh:
            steps.append(_continued(_opened(fresh, rules, actor), fresh, fresh, rules))
    return [step for step in steps if step.happened or step.fresh]


def _is_another(incident: Incident, fresh: Sequence[Signal]) -> bool:
    """Whether signals are of trouble that came long after an incident was over."""
    over = incident.recovered
    return over is not None and any(each.detected - over > _QUIET for each in fresh)


def _opened(fresh: Sequence[Signal], rules: Incidents, actor: str) -> Incident:
    first = fresh[0]
    severity: Severity = getattr(rules.severity, first.kind)
    began = min(signal.began for signal in fresh)
    return Incident(0, first.cause, first.kind, severity, first.title, actor, began, first.detected)


def _continued(
    incident: Incident, about: Sequence[Signal], fresh: tuple[Signal, ...], rules: Incidents
) -> Step:
    happened: list[What] = [] if incident.number else ["opened"]
    ends = [signal.over for signal in about]
    over = None if None in ends else max(end for end in ends if end is not None)
    if incident.recovered is not None and fresh and (over is None or over > incident.recovered):
        incident = replace(incident, recovered=None)
        happened.append("came back")
    if incident.recovered is None and over is not None:
        incident = replace(incident, recovered=max(over, incident.detected))
        happened.append("recovered")
    if incident.recovered is not None and rules.close == "by_itself":
        incident = replace(incident, closed=incident.recovered, closed_by="vitok", conclusion=BY_ITSELF)
        happened.append("closed")
    return Step(incident, fresh, tuple(happened))


def may_roll_back(incident: Incident, rules: Incidents, *, latest: datetime | None, is_back: bool) -> bool:
    """Whether going back to the version before is first aid for an incident.

    Args:
        latest: When the last change of who answers began; None if nothing was ever released.
        is_back: Whether that change was a rollback itself: there is nothing better to go back to.
    """
    return (
        "rollback" in rules.first_aid
        and incident.state == "open"
        and incident.kind == "quality"
        and latest is not None
        and not is_back
        and incident.began >= latest
    )


def may_fall_back(incident: Incident, rules: Incidents, *, is_releasing: bool) -> bool:
    """Whether the fallback in the model's place is first aid for an incident.

    Args:
        is_releasing: Whether a roll-out is under way, which watches itself.
    """
    return (
        "fallback" in rules.first_aid
        and incident.state == "open"
        and incident.kind == "quality"
        and not is_releasing
    )


def freezing(pending: Iterable[Incident], rules: Incidents) -> list[Incident]:
    """The incidents because of which no version may be released, the gravest first."""
    if rules.freeze is None:
        return []
    least = SEVERITIES.index(rules.freeze)
    found = [each for each in pending if each.state == "open" and SEVERITIES.index(each.severity) >= least]
    return sorted(found, key=lambda each: (-SEVERITIES.index(each.severity), each.number))


def mean_times(incidents: Iterable[Incident]) -> dict[str, float | None]:
    """Mean seconds from begin to detection, and from detection to recovery; None of none."""
    known = list(incidents)
    detect = [each.detected - each.began for each in known]
    recover = [each.recovered - each.detected for each in known if each.recovered is not None]
    return {"detect": seconds_of(detect), "recover": seconds_of(recover)}


def seconds_of(spans: Sequence[timedelta]) -> float | None:
    """The mean of lengths of time in seconds, None of none."""
    mean = mean_time(spans)
    return None if mean is None else mean.total_seconds()


def lengths(incident: Incident) -> dict[str, Any]:
    """Seconds until one incident was detected, and until it was over."""
    return mean_times([incident])
