"""Whether a new turn is due, and why; or why not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from vitok.charter.expressions import Alarm, Comparison, Labels, Schedule, Trigger
from vitok.kernel.clock import format_duration
from vitok.monitor.quality import trigger_holds
from vitok.stats.estimates import Estimate


@dataclass(frozen=True, slots=True)
class Facts:
    """What triggers look at.

    Args:
        now: The present.
        turns: Start of each turn so far, oldest first.
        alarms: Kinds of the open alarms.
        quality: Metrics of the last final window.
        accepted: Metrics of the champion when it was accepted.
        new_labels: Labels that arrived since the last turn.
        rules: Comparisons over slices or longer periods that were found to hold for certain.
    """

    now: datetime
    turns: Sequence[datetime]
    alarms: frozenset[str]
    quality: Mapping[str, Estimate]
    accepted: Mapping[str, float]
    new_labels: int
    rules: frozenset[Comparison] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to start a turn.

    Args:
        start: The decision.
        reason: The trigger that held, or what held it back; empty if nothing asked for a turn.
    """

    start: bool
    reason: str


def decide_turn(
    triggers: Sequence[Trigger],
    facts: Facts,
    *,
    cooldown: timedelta | None,
    budget: tuple[int, timedelta] | None,
) -> Decision:
    """Decides whether a turn starts now.

    Args:
        triggers: Any of them suffices.
        cooldown: Shortest time between the starts of two turns.
        budget: Most turns in a period.
    """
    held = [str(trigger) for trigger in triggers if _holds(trigger, facts)]
    if not held:
        return Decision(False, "")
    reason = ", ".join(held)
    last = facts.turns[-1] if facts.turns else None
    if cooldown is not None and last is not None and facts.now < last + cooldown:
        return Decision(
            False, f"{reason}; but the last turn started less than {format_duration(cooldown)} ago"
        )
    if budget is not None:
        count, period = budget
        recent = sum(start > facts.now - period for start in facts.turns)
        if recent >= count:
            return Decision(
                False,
                f"{reason}; but {recent} turns started in the last {format_duration(period)}, the budget",
            )
    return Decision(True, reason)


def _holds(trigger: Trigger, facts: Facts) -> bool:
    if isinstance(trigger, Schedule):
        return _is_due(trigger, facts)
    if isinstance(trigger, Alarm):
        return trigger.kind in facts.alarms
    if isinstance(trigger, Labels):
        return facts.new_labels >= trigger.at_least
    assert isinstance(trigger, Comparison)
    if trigger.part is not None or trigger.period is not None:
        return trigger in facts.rules
    found = facts.quality.get(trigger.metric)
    return found is not None and trigger_holds(trigger, found, facts.accepted.get(trigger.metric))


def _is_due(schedule: Schedule, facts: Facts) -> bool:
    if not facts.turns:
        return True
    last = facts.turns[-1]
    if schedule.period == "monthly":
        return (facts.now.year, facts.now.month) > (last.year, last.month)
    return facts.now >= last + schedule.period
