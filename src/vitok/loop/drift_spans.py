"""Which windows are looked at, and which ones they are compared with."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from vitok.errors import NotFound, UserMistake
from vitok.journal.profiles import ProfileStore
from vitok.kernel.clock import format_time
from vitok.loop.looks import watched_groups
from vitok.monitor.windows import closed_windows, window_start

Against = Literal["reference", "previous", "week", "year"]
AGAINST: tuple[Against, ...] = ("reference", "previous", "week", "year")
_WEEK = timedelta(days=7)
_WEEKS = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see. Windows are named in one of three ways; by default it is the last one.

    Args:
        window: A moment inside of one window.
        last: So many windows, up to the last one that is over.
        start, end: All windows of a span.
        features: Columns to show; empty for the most important ones.
        against: What to compare with; None for the reference, or for a slice the windows before.
        part: A slice, such as `origin=JFK`; empty for all rows.
    """

    window: datetime | None = None
    last: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    features: tuple[str, ...] = ()
    against: Against | None = None
    part: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """From the first instant to the first one behind."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    def back(self, by: timedelta) -> "Span":
        """The same length, earlier."""
        return Span(self.start - by, self.end - by)

    def __str__(self) -> str:
        return f"{day(self.start)} to {day(self.end)}"


def day(moment: datetime) -> str:
    """A moment as short as it can be said.

    >>> from datetime import UTC
    >>> day(datetime(2013, 3, 1, tzinfo=UTC)), day(datetime(2013, 3, 1, 6, tzinfo=UTC))
    ('2013-03-01', '2013-03-01T06:00Z')
    """
    text = format_time(moment)
    return text[:10] if text.endswith("T00:00:00Z") else text.replace(":00Z", "Z")


def chosen_span(asked: Asked, store: ProfileStore, width: timedelta, now: datetime) -> Span:
    """The windows that were asked for.

    Raises:
        UserMistake: nothing has been predicted, no window is over, or those asked for are none or have no rows.
    """
    kept = store.span()
    if kept is None:
        raise NotFound(
            "drift",
            "nothing has been predicted yet",
            "Start `vitok up`, or score a file with `vitok predict`.",
        )
    closed = [Span(*each) for each in closed_windows(kept[0], kept[1] - store.smallest, width, now)]
    if not closed:
        end = window_start(kept[0], width) + width
        raise NotFound("drift", "no window is over yet", f"The first one ends at {format_time(end)}.")
    _require_one_way(asked)
    if asked.window is not None:
        return _one_window(asked.window, store, closed, now)
    if asked.start is not None or asked.end is not None:
        return _inside(asked, store, closed)
    span = next(
        each for each in reversed(closed) if watched_groups(store, each.start, each.end) or each == closed[0]
    )
    if asked.last is not None:
        if asked.last < 1:
            raise UserMistake("--last", f"{asked.last} is no number of windows", "Write 1 or more.")
        span = Span(max(closed[0].start, span.end - asked.last * width), span.end)
    return _with_rows(store, span, closed)


def _require_one_way(asked: Asked) -> None:
    ways = {
        "--window": asked.window is not None,
        "--last": asked.last is not None,
        "--from and --to": asked.start is not None or asked.end is not None,
    }
    given = [name for name, is_given in ways.items() if is_given]
    if len(given) > 1:
        raise UserMistake(given[0], f"does not go with {given[1]}", "Name the windows in one way.")


def _one_window(moment: datetime, store: ProfileStore, closed: list[Span], now: datetime) -> Span:
    span = next((each for each in closed if each.start <= moment < each.end), None)
    if span is None:
        if moment > now:
            what = "lies in the future"
        elif moment >= closed[-1].end:
            what = "is not over yet, or nothing was predicted since"
        else:
            what = "lies before the first prediction"
        raise UserMistake(f"--window {day(moment)}", what, _kept(closed))
    return _with_rows(store, span, closed)


def _inside(asked: Asked, store: ProfileStore, closed: list[Span]) -> Span:
    start, end = asked.start or closed[0].start, asked.end or closed[-1].end
    if start >= end:
        raise UserMistake(
            "--from", f"{day(start)} is not before {day(end)}", "Write the earlier moment with --from."
        )
    found = [each for each in closed if each.end > start and each.start < end]
    if not found:
        raise UserMistake("--from and --to", f"no window between {day(start)} and {day(end)}", _kept(closed))
    return _with_rows(store, Span(found[0].start, found[-1].end), closed)


def _with_rows(store: ProfileStore, span: Span, closed: list[Span]) -> Span:
    if not watched_groups(store, span.start, span.end):
        raise UserMistake(f"window {span}", "has no rows", _kept(closed))
    return span


def _kept(closed: list[Span]) -> str:
    return f"Windows that are over lie between {day(closed[0].start)} and {day(closed[-1].end)}."


def base_spans(against: Against, span: Span) -> list[Span]:
    """What a span is compared with, the latest first; nothing for the reference.

    >>> from datetime import UTC
    >>> june = Span(datetime(2013, 6, 3, tzinfo=UTC), datetime(2013, 6, 4, tzinfo=UTC))
    >>> [str(each) for each in base_spans("week", june)][:2]
    ['2013-05-27 to 2013-05-28', '2013-05-20 to 2013-05-21']
    """
    if against == "previous":
        return [span.back(span.length)]
    if against == "week":
        step = -(-span.length // _WEEK) * _WEEK
        return [span.back(number * step) for number in range(1, _WEEKS + 1)]
    if against == "year":
        leap = (span.start.month, span.start.day) == (2, 29)
        start = span.start.replace(year=span.start.year - 1, day=28 if leap else span.start.day)
        return [Span(start, start + span.length)]
    return []
