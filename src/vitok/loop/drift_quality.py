"""Quality through time, as labels said and as it was estimated before, with what is usual; and by segment."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from vitok.kernel.clock import format_time
from vitok.loop.drift_spans import Span
from vitok.stats.control_limits import LEAST_WINDOWS, fit_control_limits
from vitok.stats.estimates import Estimate
from vitok.stats.scores import Undecidable

_BASE = 28  # columns that say what is usual, at most, and at most a third of all
_DAY, _WEEK = timedelta(days=1), 7

Windows = Sequence[Sequence[Mapping[str, Any]]]


def quality_of(
    metric: str, accepted: float | None, columns: Sequence[Span], by_column: Windows
) -> dict[str, Any]:
    """A metric through time with control limits, and its estimates.

    Args:
        accepted: Its value when the version was accepted.
        columns: Of the picture.
        by_column: Windows of each, as they were judged.
    """
    measured = _series(columns, [[each["quality"].get(metric) for each in windows] for windows in by_column])
    told = [[each["details"].get("estimated", {}).get(metric) for each in windows] for windows in by_column]
    limits, why = limits_of(measured)
    return {
        "metric": metric,
        "accepted": accepted,
        "points": [_point(*each) for each in measured],
        "estimated": [_point(*each) for each in _series(columns, told)],
        "limits": limits,
        "limits_from": why,
    }


def segments_of(
    metric: str, accepted: float | None, columns: Sequence[Span], by_column: Windows
) -> dict[str, Any]:
    """A metric by segment and time; `why` says why there is nothing, if so."""
    sliced = [[cut for each in windows if (cut := _slices(each))] for windows in by_column]
    cells = []
    for part in sorted({part for windows in sliced for each in windows for part in each}):
        found = [[each.get(part, {}).get(metric) for each in windows] for windows in sliced]
        cells += [{"segment": part, **_point(*each)} for each in _series(columns, found)]
    why = None if cells else "No window has been measured by segment: name columns under monitor.slices."
    return {"metric": metric, "accepted": accepted, "cells": cells, "why": why}


def _slices(window: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = window["details"].get("slices", {})
    return found


def _series(
    columns: Sequence[Span], found: Sequence[Iterable[Mapping[str, Any] | None]]
) -> list[tuple[Span, Estimate]]:
    pairs = (
        (span, mean_estimate([Estimate(**each) for each in some if each]))
        for span, some in zip(columns, found, strict=True)
    )
    return [(span, each) for span, each in pairs if each is not None]


def mean_estimate(found: Sequence[Estimate]) -> Estimate | None:
    """The mean of some windows, each weighted by its rows."""
    rows = sum(each.rows for each in found)
    if not rows:
        return found[0] if found else None
    if len(found) == 1:
        return found[0]
    weights = [each.rows / rows for each in found]
    value = sum(weight * each.value for weight, each in zip(weights, found, strict=True))
    below = sum((weight * (each.value - each.low)) ** 2 for weight, each in zip(weights, found, strict=True))
    above = sum((weight * (each.high - each.value)) ** 2 for weight, each in zip(weights, found, strict=True))
    return Estimate(value, value - below**0.5, value + above**0.5, rows, f"mean of {len(found)} windows")


def _point(span: Span, found: Estimate) -> dict[str, Any]:
    return {
        "start": format_time(span.start),
        "end": format_time(span.end),
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "rows": found.rows,
    }


def limits_of(points: Sequence[tuple[Span, Estimate]]) -> tuple[list[dict[str, Any]], str]:
    """Where healthy columns lie, as the first ones tell, and how that is known.

    Args:
        points: Oldest first: the first 28 of them, or a third if these are fewer, are taken for healthy.

    Returns:
        start, end, low and high for each point, or nothing; and in words what the limits are from, or why there are
        none.
    """
    base = points[: max(LEAST_WINDOWS, min(_BASE, len(points) // 3))]
    daily = bool(points) and points[0][0].length == _DAY
    seasons = [span.start.weekday() for span, _ in base] if daily and len(base) >= 2 * _WEEK else None
    try:
        limits = fit_control_limits([each for _, each in base], seasons=seasons)
    except Undecidable as error:
        return [], f"No control limits: {error}."
    found = []
    for span, each in points:
        low, high = limits.around(each, span.start.weekday() if seasons else None)
        found.append(
            {"start": format_time(span.start), "end": format_time(span.end), "low": low, "high": high}
        )
    by_day = ", each weekday for itself" if limits.seasons else ""
    return found, f"Control limits from {base[0][0].start:%Y-%m-%d} to {base[-1][0].end:%Y-%m-%d}{by_day}."
