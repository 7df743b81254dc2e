"""Every metric of the charter, of all rows and by slice: its windows with limits, and what they are compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vitok.errors import NotFound, UserMistake, did_you_mean, shortened
from vitok.kernel.clock import format_time
from vitok.loop.drift_compared import quality_compared
from vitok.loop.drift_quality import limits_of
from vitok.loop.drift_spans import Span
from vitok.loop.project import Project
from vitok.loop.watched_metrics import charter_metrics
from vitok.registry import versions
from vitok.registry import windows as remembered
from vitok.registry.versions import Version
from vitok.stats.estimates import Estimate
from vitok.stats.worse_groups import benjamini_hochberg

LATEST = 7
# Of the comparisons of a table that are called differences at most this share is called so in vain.
VAIN = 0.10
COMPARED = ("accepted", "previous_version", "same_season")
ALL_ROWS = ""
WARNING = (
    "Estimates rest on scores and inputs alone: they see other rows, and are blind to a change of what rows mean "
    "(concept drift). Nothing is promoted on them."
)

Windows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to see.

    Args:
        last: So many windows with labels, up to the last one.
        start, end: All windows of a span instead; None where it is open.
        metrics: Names; empty for those of the charter.
        parts: Slices such as `origin=JFK`; empty for all rows and all slices.
    """

    last: int = LATEST
    start: datetime | None = None
    end: datetime | None = None
    metrics: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


def performance_table(project: Project, wanted: Wanted | None = None) -> dict[str, Any]:
    """Quality of the version that answers, each figure with its interval.

    Args:
        wanted: None for the last seven windows with labels, all metrics of the charter, all slices.

    Returns:
        version, window (start, end, windows), lines, differences (how many comparisons there are, and how many differ),
        estimates of the windows whose labels have not come (as `calibrated` and `reweighted`), and warning. A line has
        metric, slice (None: all rows), now, windows (start, end, state, value, low, high, rows, limit_low, limit_high,
        outside), limits_from, and by `accepted`, `previous_version` and `same_season` what it is compared with, with
        `significant` by its own interval and `differs` among all comparisons of the table; null where there is none.

    Raises:
        NotFound: no window has been judged, or none of those asked for has labels.
        UserMistake: the metric or the slice was never measured.
    """
    wanted = wanted or Wanted()
    with project.engine.connect() as connection:
        judged = remembered.measured_windows(connection)
        if not judged:
            raise NotFound("performance", "no window has been judged yet", "Run `vitok watch --once`.")
        version = versions.get(connection, judged[-1]["version"])
    span = _span(judged, version.number, wanted)
    names = _metrics(project, judged, version, wanted.metrics)
    lines = []
    for part in _parts(judged, version, wanted.parts):
        of_part = [{**each, "quality": each["slices"].get(part, {})} for each in judged] if part else judged
        if span is not None:
            lines += [_line(name, part, span, version, of_part) for name in names]
    lines = [line for line in lines if line["now"] is not None]
    return {
        "version": version.number,
        "window": None if span is None else _told(span, judged),
        "lines": lines,
        "differences": _mark(lines),
        "estimates": _estimates(judged, names),
        "warning": WARNING,
    }


def _span(judged: Windows, version: int, wanted: Wanted) -> Span | None:
    """The windows that are looked at; None if nobody asked for any and none has labels yet."""
    if wanted.last < 1:
        raise UserMistake("--last", f"{wanted.last} is no number of windows", "Write 1 or more.")
    mine = [each for each in judged if each["quality"] and each["version"] == version]
    inside = [
        each
        for each in mine
        if (wanted.start is None or each["end"] > wanted.start)
        and (wanted.end is None or each["start"] < wanted.end)
    ]
    if inside:
        if wanted.start is None and wanted.end is None:
            inside = inside[-wanted.last :]
        return Span(inside[0]["start"], inside[-1]["end"])
    if wanted.start is None and wanted.end is None:
        return None
    known = Span(mine[0]["start"], mine[-1]["end"]) if mine else "none"
    raise NotFound(
        "--from and --to",
        f"no window of version {version} there has labels",
        f"Windows that have theirs: {known}.",
    )


def _metrics(project: Project, judged: Windows, version: Version, asked: Sequence[str]) -> list[str]:
    known = sorted({name for each in judged for name in each["quality"]} | set(version.metrics))
    for name in asked:
        if name not in known:
            raise UserMistake(
                f"--metric {shortened(name)[1:-1]}",
                "was never measured",
                f"{did_you_mean(name, known)}There are {', '.join(known)}.",
            )
    return list(dict.fromkeys(asked)) or charter_metrics(project)


def _parts(judged: Windows, version: Version, asked: Sequence[str]) -> list[str]:
    """All rows first, then the slices."""
    mine = [each for each in judged if each["version"] == version.number]
    known = sorted({part for each in mine for part in each["slices"]})
    for part in asked:
        if part not in known:
            remedy = f"There are {', '.join(known)}." if known else "Name columns under monitor.slices."
            raise UserMistake(
                f"--slice {shortened(part)[1:-1]}", "was never measured", did_you_mean(part, known) + remedy
            )
    return list(dict.fromkeys(asked)) or [ALL_ROWS, *known]


def _line(metric: str, part: str, span: Span, version: Version, judged: Windows) -> dict[str, Any]:
    """One metric of all rows or of a slice.

    Args:
        judged: All windows, with the quality of these rows.
    """
    line: dict[str, Any] = {"metric": metric, "slice": part or None}
    found = quality_compared(metric, span, version.number, judged, _accepted(version, metric, part))
    mine = [each for each in judged if each["version"] == version.number and metric in each["quality"]]
    inside, limits_from = _with_limits(metric, span, mine)
    return (
        line
        | {"now": found["now"] if inside else None, "windows": inside, "limits_from": limits_from}
        | {name: found[name] for name in COMPARED}
    )


def _accepted(version: Version, metric: str, part: str) -> Estimate | None:
    """What the metric was when the version was accepted; of a slice it is kept since slices are judged."""
    metrics = version.summary.get("slices", {}).get(part, {}) if part else version.metrics
    return Estimate(**metrics[metric]) if metric in metrics else None


def _with_limits(metric: str, span: Span, mine: Windows) -> tuple[list[dict[str, Any]], str]:
    """The windows of a span with their control limits, which the version's first windows tell."""
    points = [(Span(each["start"], each["end"]), Estimate(**each["quality"][metric])) for each in mine]
    limits, why = limits_of(points)
    bounds = {each["start"]: each for each in limits}
    found = []
    for each, (place, estimate) in zip(mine, points, strict=True):
        if not span.start <= place.start < span.end:
            continue
        start = format_time(place.start)
        bound = bounds.get(start, {"low": None, "high": None})
        outside = None if bound["low"] is None else not bound["low"] <= estimate.value <= bound["high"]
        told = {name: getattr(estimate, name) for name in ("value", "low", "high", "rows")}
        ends = {"start": start, "end": format_time(place.end), "state": each["state"]}
        found.append(
            ends | told | {"limit_low": bound["low"], "limit_high": bound["high"], "outside": outside}
        )
    return found, why


def _mark(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Says of each comparison whether it differs when all of the table are looked at together."""
    compared = [line[name] for line in lines for name in COMPARED if line[name] is not None]
    differ = benjamini_hochberg([each["p_value"] for each in compared], VAIN)
    for place, each in enumerate(compared):
        each["differs"] = place in differ
    return {"comparisons": len(compared), "differ": len(differ), "in_vain_at_most": VAIN}


def _estimates(judged: Windows, names: Sequence[str]) -> list[dict[str, Any]]:
    """What is told of the windows behind the last one that has labels."""
    measured = [place for place, each in enumerate(judged) if each["quality"]]
    waiting = judged[measured[-1] + 1 :] if measured else judged
    return [
        {
            "start": format_time(each["start"]),
            "end": format_time(each["end"]),
            "state": each["state"],
            "version": each["version"],
            "rows": each["rows"],
            "metric": name,
            "calibrated": each["estimated"].get(name),
            "reweighted": each["reweighted"].get(name),
        }
        for each in waiting[-LATEST:]
        for name in names
        if name in each["estimated"]
    ]


def _told(span: Span, judged: Windows) -> dict[str, Any]:
    inside = [each for each in judged if span.start <= each["start"] < span.end and each["quality"]]
    return {"start": format_time(span.start), "end": format_time(span.end), "windows": len(inside)}


def in_words(payload: Mapping[str, Any]) -> str:
    """The windows that were looked at, for a heading."""
    window = payload["window"]
    if window is None:
        return f"Version {payload['version']}: no window has labels yet"
    ends = [window[name][:16].removesuffix("T00:00") for name in ("start", "end")]
    return f"Version {payload['version']}, {ends[0]} to {ends[1]} ({window['windows']} windows)"
