"""What people do about alerts, and when one that nobody looks at is told again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

State = Literal["open", "acknowledged", "snoozed", "resolved"]


@dataclass(frozen=True, slots=True)
class Handling:
    """What people did about an alert.

    Args:
        acknowledged: When somebody first took it on; None if nobody has.
        acknowledged_by: Who that was.
        snoozed: Until when nobody is reminded of it.
        note: What was noted last.
        closed_by: Who closed it by hand; None if it ended by itself, or is open.
    """

    acknowledged: datetime | None = None
    acknowledged_by: str | None = None
    snoozed: datetime | None = None
    note: str = ""
    closed_by: str | None = None

    def state(self, *, is_open: bool, now: datetime, opened: datetime | None = None) -> State:
        """Where the alert stands, as people see it.

        Args:
            opened: When it was raised in its present severity: who took a notice on has not seen the alarm.
        """
        if not is_open:
            return "resolved"
        if self.snoozed is not None and self.snoozed > now:
            return "snoozed"
        if self.acknowledged is None or (opened is not None and self.acknowledged < opened):
            return "open"
        return "acknowledged"


def reminder_due(
    told: datetime | None, state: State, severity: str, every: timedelta, now: datetime
) -> datetime | None:
    """The moment for which an address is to be told again of an alert; None if it is not.

    The moment is a whole number of periods after the last time, so that two who ask mean the same reminder.

    Args:
        told: When the address was last told of it; None if never, since it was added later.
        every: Time between reminders.

    >>> from datetime import UTC
    >>> day = timedelta(days=1)
    >>> reminder_due(datetime(2026, 1, 1, tzinfo=UTC), "open", "alarm", day, datetime(2026, 1, 3, 5, tzinfo=UTC))
    datetime.datetime(2026, 1, 3, 0, 0, tzinfo=datetime.timezone.utc)
    """
    if state != "open" or severity != "alarm":
        return None
    if told is None:
        return now
    periods = (now - told) // every
    return told + periods * every if periods >= 1 else None
