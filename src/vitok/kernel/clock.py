"""Time: the one reader of the wall clock, and the text form of instants and durations."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from vitok.errors import UserMistake

Clock = Callable[[], datetime]

_UNITS = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
    "y": 31557600.0,
}
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w|y)\s*$")


def system_clock() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


def stopwatch() -> float:
    """Seconds of a monotonic clock, for measuring how long work takes."""
    return time.perf_counter()


def parse_duration(text: str, place: str = "duration") -> timedelta:
    """Reads a duration such as `4h`, `30d`, `90 min`, `250ms`.

    Raises:
        UserMistake: the text is no number followed by a known unit, or longer than can be reckoned with.

    >>> parse_duration("1.5h")
    datetime.timedelta(seconds=5400)
    """
    match = _DURATION.match(text)
    if match is None:
        raise UserMistake(
            place,
            f"{text!r} is no duration",
            "Write a number and a unit: ms, s, m, h, d, w or y, for example 4h.",
        )
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    except OverflowError as error:
        raise UserMistake(place, f"{text!r} is too long", "Write a shorter duration.") from error


def format_duration(duration: timedelta) -> str:
    """The shortest exact text of a duration.

    >>> format_duration(timedelta(hours=36)), format_duration(timedelta(days=7))
    ('36h', '7d')
    """
    seconds = duration.total_seconds()
    for unit in ("y", "d", "h", "m", "s"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    milliseconds = f"{duration / timedelta(milliseconds=1):.3f}".rstrip("0").rstrip(".")
    return f"{milliseconds}ms" if duration else "0s"


def parse_time(text: str, place: str = "time") -> datetime:
    """Reads an ISO 8601 instant; without a zone it is UTC.

    Raises:
        UserMistake: the text is no ISO 8601 date or time, or in UTC outside of the years 1 to 9999.

    >>> parse_time("2013-03-01").isoformat()
    '2013-03-01T00:00:00+00:00'
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserMistake(
            place, f"{text!r} is no time", "Write ISO 8601, for example 2013-03-01 or 2013-03-01T06:00:00Z."
        ) from error
    try:
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except OverflowError as error:
        what = f"{text!r} lies before the first or after the last year"
        raise UserMistake(place, what, "Write a moment between the years 1 and 9999 in UTC.") from error


def format_time(instant: datetime) -> str:
    """ISO 8601 in UTC with a `Z`.

    >>> format_time(datetime(2013, 3, 1, tzinfo=UTC))
    '2013-03-01T00:00:00Z'
    """
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


class VirtualClock:
    """A clock that stands still until it is moved, for replay and for tests."""

    def __init__(self, start: datetime) -> None:
        self.now = start

    def __call__(self) -> datetime:
        return self.now

    def move_to(self, instant: datetime) -> None:
        """Moves to a later instant; never back."""
        self.now = max(self.now, instant)
