"""How columns, quality and segments went through time, in few enough columns to be seen."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from vitok.charter.review import main_metric
from vitok.journal.profiles import WHOLE
from vitok.kernel.clock import format_duration, format_time
from vitok.loop.drift_counts import Counts, joined
from vitok.loop.drift_quality import quality_of, segments_of
from vitok.loop.drift_rows import feature_rows, shares_of
from vitok.loop.drift_spans import Span
from vitok.loop.project import Project
from vitok.monitor.windows import window_start
from vitok.registry import windows as remembered
from vitok.registry.releases import all_releases
from vitok.stats.profiles import Profile
from vitok.stats.shifts import shift_of

MOST_COLUMNS = 120
_LONGEST = timedelta(days=366)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_HOURS, _DAYS = (1, 2, 3, 4, 6, 8, 12), (1, 7, 14, 28)


def column_length(width: timedelta, span: timedelta) -> timedelta:
    """How much time a column of a picture covers: whole windows, at most 120 columns, and weeks rather than odd days.

    >>> day = timedelta(days=1)
    >>> str(column_length(day, 100 * day)), str(column_length(day, 365 * day)), str(column_length(day / 24, 60 * day))
    ('1 day, 0:00:00', '7 days, 0:00:00', '12:00:00')
    """
    steps = [timedelta(hours=each) for each in _HOURS] + [timedelta(days=each) for each in _DAYS]
    fitting = [width, *(each for each in steps if each > width and not each % width)]
    for each in fitting:
        if span / each <= MOST_COLUMNS:
            return each
    longest = fitting[-1]
    return longest * -(-span // (longest * MOST_COLUMNS))


def history_of(
    project: Project,
    counts: Counts,
    span: Span,
    current: Profile,
    shown: Sequence[str],
    judged: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """What the pictures show, up to a year of it.

    Args:
        counts: Of the version whose bins count.
        span: The windows that are looked at.
        current: Their profile.
        shown: Columns.
        judged: All windows that were ever judged, oldest first.
    """
    columns = _columns(project, counts, span)
    inside = [each for each in judged if columns[0].start <= each["start"] < columns[-1].end]
    by_column = [[each for each in inside if c.start <= each["start"] < c.end] for c in columns]
    profiles = [counts.all([each]) for each in columns]
    found = [each for each in profiles if each is not None]
    then = counts.version.reference.profile if counts.part == WHOLE else joined(found)
    metric = main_metric(project.charter)
    accepted = counts.version.accepted.get(metric)
    return {
        "columns": [{"start": format_time(each.start), "end": format_time(each.end)} for each in columns],
        "column_length": format_duration(columns[0].length),
        "then": "reference" if counts.part == WHOLE else "average",
        "features": {
            name: _feature(name, counts, then, profiles, current, by_column)
            for name in shown
            if name in then.columns
        },
        "quality": quality_of(metric, None if accepted is None else accepted.value, columns, by_column),
        "segments": segments_of(metric, None if accepted is None else accepted.value, columns, by_column),
        **_events(project, columns),
    }


def _columns(project: Project, counts: Counts, span: Span) -> list[Span]:
    """The columns of time, whole windows that are over."""
    width, kept = project.charter.monitor.window, counts.store.span()
    assert kept is not None  # there are rows in the span
    end = min(
        window_start(project.clock(), width), window_start(kept[1] - counts.store.smallest, width) + width
    )
    if end - span.start > _LONGEST:  # what is looked at is always seen
        end = span.end
    start = max(window_start(kept[0], width), window_start(end - _LONGEST, width))
    length = column_length(width, end - start)
    first = window_start(start, length)
    number = -(-(end - first) // length)
    return [Span(first + place * length, first + (place + 1) * length) for place in range(number)]


def _feature(
    name: str,
    counts: Counts,
    then: Profile,
    profiles: Sequence[Profile | None],
    current: Profile,
    by_column: Sequence[Sequence[Mapping[str, Any]]],
) -> dict[str, Any]:
    """One column of the data: shares by bin, distance and missing values through time."""
    past, bins = then.columns[name], counts.bins[name]
    through = [None if each is None else each.columns.get(name) for each in profiles]
    shifts = [None if each is None else shift_of(past, each) for each in through]
    rows = feature_rows(past, current.columns[name], bins)
    return {
        "labels": rows.labels,
        "then": shares_of(past, rows),
        "now": shares_of(current.columns[name], rows),
        "shares": [None if each is None or not each.rows else shares_of(each, rows) for each in through],
        "psi": [None if each is None else each.psi for each in shifts],
        "missing": [None if each is None or not each.rows else each.missing / each.rows for each in through],
        "unseen": [_unseen(each) for each in through],
        "moved": [sum(1 for _ in _moved(name, windows)) for windows in by_column],
    }


def _unseen(column: Any) -> float | None:
    if column is None or not hasattr(column, "unseen") or not column.rows:
        return None
    return float(column.unseen / max(1, column.rows - column.missing))


def _moved(name: str, windows: Iterable[Mapping[str, Any]]) -> Iterator[None]:
    """One for each window in which a column was judged to have moved."""
    for window in windows:
        if any(each["column"] == name and each["status"] == "moved" for each in window["drift"]):
            yield None


def _events(project: Project, columns: Sequence[Span]) -> dict[str, Any]:
    """Changes of the version in production, and alerts."""
    start, end = columns[0].start, columns[-1].end
    with project.engine.connect() as connection:
        plans = all_releases(connection)
        alerts = remembered.load_alerts(connection, resolved_after=_EVER).values()
    releases, before = [], None
    for each in plans:
        if each.plan.champion.version != before and start <= each.created <= end:
            releases.append({"time": format_time(each.created), "version": each.plan.champion.version})
        before = each.plan.champion.version
    return {
        "releases": releases,
        "alerts": [
            {**each.as_json(), "time": format_time(max(each.opened, start))}
            for each in sorted(alerts, key=lambda alert: alert.opened)
            if each.opened <= end and (each.resolved is None or each.resolved >= start)
        ],
    }
