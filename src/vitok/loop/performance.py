"""Quality through time as pages show it: a metric by span with its interval, limits, estimates and slices."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from vitok.charter.review import main_metric
from vitok.errors import UserMistake
from vitok.kernel.clock import format_duration, format_time
from vitok.loop.drift_quality import quality_of, segments_of
from vitok.loop.drift_spans import Span
from vitok.loop.project import Project
from vitok.registry import releases, versions
from vitok.registry import windows as remembered

Period = Literal["month", "quarter", "year", "all"]
PERIODS: dict[Period, timedelta | None] = {
    "month": timedelta(days=31),
    "quarter": timedelta(days=92),
    "year": timedelta(days=366),
    "all": None,
}
_MOST_COLUMNS = 60
_MOST_DETAILED = 400  # windows whose estimates and slices are read; older ones keep their measured quality


def project_performance(
    project: Project, *, metric: str | None = None, period: Period = "year"
) -> dict[str, Any]:
    """A metric of production through time.

    Args:
        metric: None for the main one.
        period: How far back from the last window.

    Returns:
        metric, metrics (all that were measured), period, window, column (length of a span), and, of
        `vitok drift --json`, quality and segments; columns with rows, labelled and state; labels: how many
        predictions have theirs.

    Raises:
        UserMistake: the metric was never measured.
    """
    with project.engine.connect() as connection:
        release, last = releases.current(connection), remembered.last_windows(connection, 1)
        accepted = None if release is None else versions.get(connection, release.version).metrics
    known = sorted({*(accepted or {}), *(last[0]["quality"] if last else {})})
    chosen = metric or main_metric(project.charter)
    if metric is not None and metric not in known:
        raise UserMistake("metric", f"{metric!r} was never measured", f"Choose one of {', '.join(known)}.")
    columns, grouped = _grouped(project, chosen, period, last[0]["end"]) if last else ([], [])
    value = (accepted or {}).get(chosen, {}).get("value")
    return {
        "metric": chosen,
        "metrics": known,
        "period": period,
        "window": format_duration(project.charter.monitor.window),
        "column": format_duration(columns[0].length) if columns else None,
        "quality": quality_of(chosen, value, columns, grouped),
        "segments": segments_of(chosen, value, columns, grouped),
        "columns": [_column(span, some) for span, some in zip(columns, grouped, strict=True)],
    }


def _grouped(
    project: Project, metric: str, period: Period, end: datetime
) -> tuple[list[Span], list[list[Mapping[str, Any]]]]:
    """Spans of whole windows, at most so many as a picture can show, and the windows in each."""
    width, back = project.charter.monitor.window, PERIODS[period]
    with project.engine.connect() as connection:
        first = remembered.first_start(connection) or end
        since = first if back is None else max(first, end - back)
        found = remembered.metric_series(connection, metric, since)
        detailed = max(since, end - _MOST_DETAILED * width)
        details = remembered.metric_details(connection, metric, detailed)
    since = found[0]["start"] if found else end
    # Days stay days: a span is a number of windows that divides the time evenly.
    length = width * -(-round((end - since) / width) // _MOST_COLUMNS) if found else width
    columns = [Span(since + length * i, since + length * (i + 1)) for i in range(-(-(end - since) // length))]
    grouped: list[list[Mapping[str, Any]]] = [[] for _ in columns]
    for each in found:
        quality = {} if each["quality"] is None else {metric: each["quality"]}
        each["quality"], each["details"] = quality, details.get(each["start"], {})
        grouped[(each["start"] - since) // length].append(each)
    return columns, grouped


def _column(span: Span, windows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    states = {each["state"] for each in windows}
    return {
        "start": format_time(span.start),
        "end": format_time(span.end),
        "rows": sum(each["rows"] for each in windows),
        "labelled": sum(each["labelled"] for each in windows),
        "state": next((name for name in ("open", "maturing", "final") if name in states), None),
        "versions": sorted({each["version"] for each in windows if each["version"] is not None}),
    }
