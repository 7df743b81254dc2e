"""Whether a new turn is due, and why; or why not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from croniter import croniter

from vitok.charter.expressions import Alarm, Changed, Comparison, Cron, Labels, Schedule, Trigger
from vitok.kernel.clock import format_duration
from vitok.monitor.quality import trigger_holds
from vitok.stats.estimates import Estimate

Quality = Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Facts:
    """What triggers look at, and what may hold a turn back.

    Args:
        now: The present.
        turns: Start of each turn so far, oldest first.
        alarms: Kinds of the open alarms.
        quality: Metrics of the last final windows, the newest first.
        estimated: Metrics of the last windows as they are estimated, the newest first.
        accepted: Metrics of the champion when it was accepted.
        new_labels: Labels that arrived since the last turn; None where nobody counts them.
        rules: Comparisons over slices or longer periods that were found to hold for certain.
        changed: What is not as it was when the last turn began.
        releasing: The version that is being rolled out, None if none is.
        suspect: Inputs that look broken, and that nobody has acknowledged.
    """

    now: datetime
    turns: Sequence[datetime]
    alarms: frozenset[str]
    quality: Sequence[Quality]
    accepted: Mapping[str, float]
    new_labels: int | None
    rules: frozenset[Comparison] = frozenset()
    estimated: Sequence[Quality] = ()
    changed: frozenset[str] = frozenset()
    releasing: int | None = None
    suspect: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Guards:
    """What holds a turn back although a trigger holds.

    Args:
        cooldown: Shortest time between the starts of two turns.
        budget: Most turns in a period.
        confirmed: In how many of how many of the last windows a comparison must hold.
        trains_suspect: Whether a turn may learn from inputs that look broken.
    """

    cooldown: timedelta | None = None
    budget: tuple[int, timedelta] | None = None
    confirmed: tuple[int, int] = (1, 1)
    trains_suspect: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to start a turn.

    Args:
        start: The decision.
        reason: The triggers that held, and what held them back; empty if nothing asked for a turn.
        triggers: Those that held.
        remarks: What else is to be known of it, such as labels that are still coming.
    """

    start: bool
    reason: str
    triggers: tuple[str, ...] = ()
    remarks: str = ""


def decide_turn(triggers: Sequence[Trigger], facts: Facts, guards: Guards) -> Decision:
    """Decides whether a turn starts now.

    Args:
        triggers: Any of them suffices.
    """
    held = tuple(str(trigger) for trigger in triggers if _holds(trigger, facts, guards))
    if not held:
        return Decision(False, "")
    reason, why_not = ", ".join(held), _held_back(facts, guards)
    return (
        Decision(True, reason, held) if why_not is None else Decision(False, f"{reason}; but {why_not}", held)
    )


def next_moment(trigger: Trigger, last: datetime) -> datetime | None:
    """When a schedule asks for its next turn; None for what no clock knows.

    Args:
        last: When the last turn started.

    >>> from datetime import UTC
    >>> next_moment(Schedule("monthly"), datetime(2013, 12, 5, tzinfo=UTC)).isoformat()
    '2014-01-01T00:00:00+00:00'
    """
    match trigger:
        case Schedule(period="monthly"):
            return (last.replace(day=1) + timedelta(days=32)).replace(
                day=1, hour=0, minute=0, second=0, microsecond=0
            )
        case Schedule(period=timedelta() as period):
            return last + period
        case Cron():
            return croniter(trigger.fields, last).get_next(datetime)
        case _:
            return None


def _held_back(facts: Facts, guards: Guards) -> str | None:
    """What is in the way of a turn, None if nothing is."""
    if facts.releasing is not None:
        return f"version {facts.releasing} is being released: two changes at once could not be told apart"
    last = facts.turns[-1] if facts.turns else None
    if guards.cooldown is not None and last is not None and facts.now < last + guards.cooldown:
        return f"the last turn started less than {format_duration(guards.cooldown)} ago"
    if guards.budget is not None:
        count, period = guards.budget
        recent = sum(start > facts.now - period for start in facts.turns)
        if recent >= count:
            return f"{recent} turns started in the last {format_duration(period)}, the budget"
    if facts.new_labels == 0 and not facts.changed:
        return "no label has come since the last turn: there is nothing new to learn"
    if facts.suspect and not guards.trains_suspect:
        named = ", ".join(facts.suspect)
        return f"{named} looks broken, and a turn would learn that: mend the source, or acknowledge the alert"
    return None


def _holds(trigger: Trigger, facts: Facts, guards: Guards) -> bool:
    match trigger:
        case Schedule():
            return _is_due(trigger, facts)
        case Cron():
            return (
                not facts.turns
                or croniter(trigger.fields, facts.turns[-1]).get_next(type(facts.now)) <= facts.now
            )
        case Alarm():
            return trigger.kind in facts.alarms
        case Labels():
            return (facts.new_labels or 0) >= trigger.at_least
        case Changed():
            return trigger.what in facts.changed
        case Comparison():
            return _compares(trigger, facts, guards)


def _compares(trigger: Comparison, facts: Facts, guards: Guards) -> bool:
    if trigger.part is not None or trigger.period is not None:
        return trigger in facts.rules
    few, many = guards.confirmed
    windows = (facts.estimated if trigger.estimated else facts.quality)[:many]
    found = [quality[trigger.metric] for quality in windows if trigger.metric in quality]
    return sum(trigger_holds(trigger, each, facts.accepted.get(trigger.metric)) for each in found) >= few


def _is_due(schedule: Schedule, facts: Facts) -> bool:
    if not facts.turns:
        return True
    last = facts.turns[-1]
    if schedule.period == "monthly":
        return (facts.now.year, facts.now.month) > (last.year, last.month)
    return facts.now >= last + schedule.period
