"""One page for each release: who answered how much, how sure it was that the new version is worse, what happened.

Evidence is shown as a share of what it takes to roll back, so that nobody needs to know what an e-value is.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar

from vitok.kernel.clock import format_time
from vitok.report.chart_style import (
    BLUE,
    DARK,
    GREEN,
    GREY,
    ORANGE,
    RED,
    WIDTH,
    chart_title,
    finished,
    series_encodings,
)
from vitok.report.text_table import PANEL, Column, text_table, wrapped

Moments = tuple[datetime, datetime]
ShareSince = tuple[datetime, float, str]  # moment, share of the units from then on (0 to 1), and whose it is
Event = tuple[datetime, str, str]  # moment, state from then on, and why
_MOST_POINTS = 400  # of one line: more cannot be seen
_MOST_EVENTS = 12
_AHEAD = 4  # times the way so far that the axis of time may be long
_TOP = 1.15  # of the axis of evidence, where 1 is certain
_PAGE = 16  # size of the title
_RULE = "At the red line it is taken back, if it is also beyond its limit as far as one can tell."
_NEAR = 0.025  # of the width: numbers of events nearer to each other would overlap
_REASON, _GATE_REASON = 74, 96  # characters of a reason that fit on a line
_STATES = {"promoted": GREEN, "rolled back": RED, "aborted": RED, "alarm": RED, "inconclusive": ORANGE}
_EVENTS: tuple[Column, ...] = (
    ("number", 0, "bold"),
    ("when", 20, "normal"),
    ("state", 125, "bold"),
    ("reason", 205, "normal"),
)
_GATES: tuple[Column, ...] = (("state", 0, "bold"), ("reason", 55, "normal"))
_HAPPENED = "What happened, and why (times in UTC)"
_LINES = {
    "the difference so far; the truth is in the shaded part": BLUE,
    "gain worth acting on": GREEN,
    "no difference": DARK,
    "loss worth acting on": RED,
}
_T = TypeVar("_T")


def release_chart(
    title: str,
    *,
    shares: Sequence[ShareSince],
    evidence: Sequence[tuple[datetime, str, float, float]],
    events: Sequence[Event],
    below: str = "",
) -> dict[str, Any]:
    """Shares through time, evidence by guard, and the events with their reasons, below each other.

    Args:
        evidence: Moment, name of the guard, log E, and the log E at which it counts.
        below: What the page says, in a sentence.
    """
    import altair as alt

    span = _with_room([row[0] for rows in (shares, evidence, events) for row in rows])
    sure = alt.layer(*_evidence(evidence, events, span)).properties(
        width=WIDTH,
        height=200,
        title=chart_title("How sure it is that the new version is worse", _RULE, PANEL),
    )
    return _page(title, below, [_who(shares, events, span), sure], events)


def verdict_chart(
    title: str,
    *,
    shares: Sequence[ShareSince],
    gates: Sequence[tuple[str, str]],
    events: Sequence[Event],
    below: str = "",
) -> dict[str, Any]:
    """Shares through time, what the verdict said, and the events: of a release that nothing was compared in.

    Args:
        gates: For each gate `passed` or `failed`, and why.
        below: What the page says, in a sentence.
    """
    span = _with_room([row[0] for rows in (shares, events) for row in rows])
    passed = sum(state == "passed" for state, _ in gates)
    said = text_table(_gate_lines(gates), _GATES, f"Its verdict: {passed} of {len(gates)} gates passed")
    return _page(title, below, [_who(shares, events, span), *([said] if gates else [])], events)


def _page(title: str, below: str, panels: list[Any], events: Sequence[Event]) -> dict[str, Any]:
    import altair as alt

    listed = [text_table(_event_lines(events), _EVENTS, _HAPPENED)] if events else []
    page = alt.vconcat(*panels, *listed, spacing=28, title=chart_title(title, below, _PAGE))
    return finished(page.resolve_scale(color="independent", shape="independent", strokeDash="independent"))


def _who(shares: Sequence[ShareSince], events: Sequence[Event], span: Moments) -> Any:
    import altair as alt

    title = chart_title("Who answers", size=PANEL)
    return alt.layer(*_shares(shares, events, span)).properties(width=WIDTH, height=150, title=title)


def _with_room(times: Sequence[datetime]) -> Moments:
    """First and last moment, with room for the state after the last one."""
    first, last = _span(times)
    return first, last + (last - first) * 0.04


def _shares(shares: Sequence[ShareSince], events: Sequence[Event], span: Moments) -> list[Any]:
    """A step line for each version, held until the end of the page."""
    import altair as alt

    names = list(dict.fromkeys(row[2] for row in shares))
    rows = [{"time": _text(time), "share": share, "name": name} for time, share, name in shares]
    for name in names:
        last = max((row for row in shares if row[2] == name), key=lambda row: row[0])
        rows.append({"time": _text(span[1]), "share": last[1], "name": name})
    y = alt.Y(
        "share:Q",
        title="Share of the units",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1]),
    )
    lines = alt.Chart(alt.InlineData(values=rows)).mark_line(interpolate="step-after", strokeWidth=2.5)
    if not rows:
        return [*_event_rules(events, span), _remark("No units were sent to it yet", span, 0.62, y)]
    return [*_event_rules(events, span), lines.encode(x=_x(span), y=y, **_series(names, "Answered by"))]


def _evidence(
    evidence: Sequence[tuple[datetime, str, float, float]],
    events: Sequence[Event],
    span: Moments,
) -> list[Any]:
    """A line for each guard, from no sign at all to certain."""
    import altair as alt

    names = list(dict.fromkeys(row[1] for row in evidence))
    rows = []
    for name in names:
        own = sorted((time, log_e / boundary) for time, guard, log_e, boundary in evidence if guard == name)
        rows += [
            {"time": _text(time), "sure": min(max(sure, 0.0), _TOP - 0.05), "name": name}
            for time, sure in _thinned(own)
        ]
    said = "{'0': 'no sign', '0.33': 'faint', '0.66': 'strong', '1': 'certain: roll back'}"
    y = alt.Y(
        "sure:Q",
        title="",
        scale=alt.Scale(domain=[0, _TOP], nice=False),
        axis=alt.Axis(values=[0, 0.33, 0.66, 1], labelExpr=f"({said})[datum.value]"),
    )
    data = alt.Chart(alt.InlineData(values=rows))
    limit = alt.Chart(alt.InlineData(values=[{"sure": 1.0}]))
    layers: list[Any] = [
        *_event_rules(events, span),
        limit.mark_rule(color=RED, strokeWidth=2).encode(y=y),
    ]
    if not rows:
        return [*layers, _remark("Nothing to compare yet", span, 0.5, y)]
    lines = data.mark_line(interpolate="step-after", strokeWidth=2)
    layers.append(lines.encode(x=_x(span), y=y, **_series(names, "Watched")))
    alone = [name for name in names if sum(row["name"] == name for row in rows) == 1]
    if alone:  # a line of one point is no line
        points = data.transform_filter(alt.FieldOneOfPredicate("name", alone))
        colour = _series(names, "Watched")["color"]
        layers.append(points.mark_point(filled=True, size=60).encode(x=_x(span), y=y, color=colour))
    return layers


def _event_rules(events: Sequence[Event], span: Moments) -> list[Any]:
    """Where something happened."""
    import altair as alt

    layers: list[Any] = []
    for colour in dict.fromkeys(_STATES.get(state, GREY) for _, state, _ in events):
        rows = [
            {"time": _text(time)}
            for _, (time, state, _) in _numbered(events)
            if _STATES.get(state, GREY) == colour
        ]
        rule = alt.Chart(alt.InlineData(values=rows)).mark_rule(strokeDash=[3, 3], opacity=0.8, color=colour)
        layers.append(rule.encode(x=_x(span)))
    if events:
        numbers = alt.Chart(alt.InlineData(values=_numbers(events, span)))
        text = numbers.mark_text(baseline="bottom", dy=-2, fontSize=11, fontWeight="bold", color=DARK)
        layers.append(text.encode(x=_x(span), y=alt.value(0), text="number:N"))
    return layers


def _numbers(events: Sequence[Event], span: Moments) -> list[dict[str, str]]:
    """Where the numbers of the events stand; those of neighbours stand together."""
    groups: list[tuple[datetime, list[int]]] = []
    for number, (time, _, _) in _numbered(events):
        if groups and time - groups[-1][0] < _NEAR * (span[1] - span[0]):
            groups[-1][1].append(number)
        else:
            groups.append((time, [number]))
    return [
        {
            "time": _text(time),
            "number": f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}",
        }
        for time, numbers in groups
    ]


def _event_lines(events: Sequence[Event]) -> list[dict[str, str]]:
    """The events in words, wrapped."""
    lines: list[dict[str, str]] = []
    for number, (time, state, reason) in _numbered(events):
        when = f"{format_time(time)[:16].replace('T', ' ')}"
        head = {"number": str(number), "when": when, "state": state, "colour": _STATES.get(state, DARK)}
        lines += wrapped(head, reason, _REASON)
    if len(events) > _MOST_EVENTS:
        left = f"({len(events) - _MOST_EVENTS} events between are left out)"
        lines.append({"number": "", "when": "", "state": "", "reason": left, "colour": GREY})
    return lines


def _gate_lines(gates: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    colours = {"passed": GREEN, "failed": RED}
    heads = [({"state": state, "colour": colours[state]}, reason) for state, reason in gates]
    return [line for head, reason in heads for line in wrapped(head, reason, _GATE_REASON)]


def _numbered(events: Sequence[_T]) -> Iterable[tuple[int, _T]]:
    """The events with their numbers; of many the first ones and the last ones."""
    numbered = list(enumerate(events, 1))
    if len(numbered) <= _MOST_EVENTS:
        return numbered
    return [*numbered[: _MOST_EVENTS // 2], *numbered[-(_MOST_EVENTS // 2) :]]


def comparison_chart(
    title: str,
    *,
    points: Sequence[tuple[datetime, float, float, float]],
    effect: float,
    what: str,
    below: str = "",
    ends: datetime | None = None,
) -> dict[str, Any]:
    """The difference of two arms with its confidence sequence through time.

    Args:
        points: Moment, estimate, and both ends of the interval.
        effect: Smallest difference worth acting on.
        what: What differs, with its unit.
        below: What the page says, in a sentence.
        ends: When the comparison ends; shown once a fair part of the way is behind.
    """
    import altair as alt

    span = _span([point[0] for point in points])
    if ends is not None and span[1] < ends <= span[0] + _AHEAD * (span[1] - span[0]):
        span = span[0], ends
    seen = [points[place] for place in _places(len(points))]
    y = alt.Y("estimate:Q", title=what, scale=alt.Scale(domain=list(_domain(seen, effect)), nice=False))
    layers = _sequence(seen, effect, _x(span), y)
    if not seen:
        layers.append(_remark("Nothing to compare yet", span, effect / 2, y))
    page = alt.layer(*layers).properties(width=WIDTH, height=300, title=chart_title(title, below))
    return finished(page)


def _sequence(
    points: Sequence[tuple[datetime, float, float, float]], effect: float, x: Any, y: Any
) -> list[Any]:
    """The interval as a band, the estimate as a line, and the differences that matter as rules."""
    import altair as alt

    rows = [
        {"time": _text(time), "estimate": estimate, "low": low, "high": high}
        for time, estimate, low, high in points
    ]
    places = zip(list(_LINES)[1:], (effect, 0.0, -effect), strict=True)
    colour = alt.Color(
        "name:N",
        title="",
        scale=alt.Scale(domain=list(_LINES), range=list(_LINES.values())),
        legend=alt.Legend(orient="bottom", columns=2, labelLimit=WIDTH, symbolType="stroke", symbolSize=300),
    )
    data = alt.Chart(alt.InlineData(values=rows))
    lines = alt.Chart(alt.InlineData(values=[{"estimate": place, "name": name} for name, place in places]))
    low = alt.Y("low:Q", title="")  # the layers share one axis
    steps: dict[str, Any] = {"clip": True, "interpolate": "step-after"}
    layers: list[Any] = [
        data.mark_area(color=BLUE, opacity=0.2, **steps).encode(x=x, y=low, y2="high:Q"),
        lines.mark_rule(strokeDash=[6, 4], strokeWidth=1.5).encode(y=y, color=colour),
        data.mark_line(color=BLUE, strokeWidth=2.5, **steps).encode(x=x, y=y),
    ]
    if len(rows) == 1:  # a band of one point is none
        layers += [
            data.mark_rule(color=BLUE, strokeWidth=2, clip=True).encode(x=x, y=low, y2="high:Q"),
            data.mark_point(filled=True, size=70, color=BLUE, opacity=1).encode(x=x, y=y),
        ]
    return layers


def _domain(points: Sequence[tuple[datetime, float, float, float]], effect: float) -> tuple[float, float]:
    """The part of the axis that matters: the lines, all estimates of the later half, and most of their intervals.

    The first intervals are as wide as the range of the values, and would leave nothing else to see.
    """
    later = points[len(points) // 2 :]
    low = min([-1.5 * effect, *(point[1] for point in later), *(point[2] for point in points[-1:])])
    high = max([1.5 * effect, *(point[1] for point in later), *(point[3] for point in points[-1:])])
    room = 0.15 * (high - low)
    return low - room, high + room


def _series(names: Sequence[str], title: str) -> dict[str, Any]:
    """Colour and dash of each name, in one legend below the panel."""
    import altair as alt

    long = max((len(name) for name in names), default=0)
    legend = alt.Legend(
        orient="bottom",
        title=title,
        columns=max(1, min(6, WIDTH // (7 * long + 50))),
        labelLimit=WIDTH - 50,
        symbolSize=300,
        symbolStrokeWidth=2.5,
        symbolType="stroke",
    )
    return series_encodings(names, legend)


def _remark(text: str, span: Moments, height: float, y: Any) -> Any:
    """What stands in a panel that has nothing to show."""
    import altair as alt

    field = y.to_dict()["field"]
    middle = span[0] + (span[1] - span[0]) / 2
    data = alt.Chart(alt.InlineData(values=[{"time": _text(middle), field: height, "text": text}]))
    return data.mark_text(fontSize=13, color=GREY).encode(x=_x(span), y=y, text="text:N")


def _x(span: Moments) -> Any:
    import altair as alt

    length = span[1] - span[0]
    form = "%H:%M:%S" if length < timedelta(minutes=5) else "%d %b %H:%M"
    form = "%d %b" if length > timedelta(days=5) else form
    scale = alt.Scale(type="utc", domain=[_text(moment) for moment in span], nice=False)
    axis = alt.Axis(format=form, tickCount=7, labelOverlap=True, labelFlush=True, grid=False)
    return alt.X("time:T", title="", scale=scale, axis=axis)


def _span(times: Sequence[datetime]) -> Moments:
    """First and last moment, never the same."""
    if not times:
        return datetime.fromisoformat("1970-01-01T00:00:00Z"), datetime.fromisoformat("1970-01-01T01:00:00Z")
    first, last = min(times), max(times)
    return (first, last) if first < last else (first - timedelta(minutes=30), last + timedelta(minutes=30))


def _thinned(line: Sequence[tuple[datetime, float]]) -> list[tuple[datetime, float]]:
    """Few enough points: of each stretch the highest, and the first and the last of all."""
    if len(line) <= _MOST_POINTS:
        return list(line)
    cuts = [len(line) * part // (_MOST_POINTS - 2) for part in range(_MOST_POINTS - 1)]
    highest = [max(line[start:end], key=lambda point: point[1]) for start, end in pairwise(cuts)]
    return [*dict.fromkeys([line[0], *highest, line[-1]])]


def _places(count: int) -> list[int]:
    """Which points of so many are shown: all, or evenly spread ones with the last."""
    if count <= _MOST_POINTS:
        return list(range(count))
    return sorted({(count - 1) * part // (_MOST_POINTS - 1) for part in range(_MOST_POINTS)})


def _text(moment: datetime) -> str:
    return format_time(moment)
