"""What the pictures of drift share: one axis of time, labels of one width, releases and alerts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from vitok.kernel.clock import format_time, parse_time
from vitok.report.chart_style import DARK, GREEN, RED, chart_title, series_encodings

_LABELS = 118  # pixels of the labels on the left, the same everywhere, so that times lie below each other
_LONGEST = 40
_NEAR = 0.03  # of the width: names of releases nearer to each other would overlap


def plain(text: object) -> str:
    """A name as a chart can show it: on one line, without control characters, not too long.

    >>> plain("a\\nb\\x00"), len(plain("x" * 100))
    ('a b�', 40)
    """
    shown = "".join(each if each.isprintable() else " " if each.isspace() else "�" for each in str(text))
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def panel_title(text: str, below: str = "") -> Any:
    """The title of one picture of several, near to it."""
    title = chart_title(text, below, 13)
    title.offset = 4
    return title


def runs(values: Sequence[float | None]) -> list[tuple[int, int, float]]:
    """Neighbours of one value as first, last and value; gaps are left out.

    >>> runs([1.0, 1.0, None, 2.0])
    [(0, 1, 1.0), (3, 3, 2.0)]
    """
    found: list[tuple[int, int, float]] = []
    for place, value in enumerate(values):
        if value is None:
            continue
        if found and found[-1][1] == place - 1 and found[-1][2] == value:
            found[-1] = (found[-1][0], place, value)
        else:
            found.append((place, place, value))
    return found


def middle(column: Mapping[str, str]) -> str:
    """The middle of a column of time."""
    start, end = parse_time(column["start"]), parse_time(column["end"])
    return format_time(start + (end - start) / 2)


def time_axis(columns: Sequence[Mapping[str, str]], *, shown: bool = True) -> Any:
    """The axis of time, the same for all pictures of a page."""
    import altair as alt

    start, end = parse_time(columns[0]["start"]), parse_time(columns[-1]["end"])
    days = (end - start).total_seconds() / 86_400
    form = "%d %b %H:%M" if days < 8 else "%d %b" if days < 300 else "%b %Y"
    axis = alt.Axis(
        format=form, tickCount=8, labelOverlap=True, labelFlush=True, grid=False, title="", labelFontSize=10
    )
    scale = alt.Scale(type="utc", domain=[columns[0]["start"], columns[-1]["end"]], nice=False)
    return alt.X("x:T", title="", scale=scale, axis=axis if shown else None)


def y_axis(*, size: int = 10, ticks: int = 5, form: str | None = None, title: bool = False) -> Any:
    """An axis on the left whose labels are as wide as those of the others."""
    import altair as alt

    how: dict[str, Any] = {} if form is None else {"format": form}
    how |= {"titleX": -40} if title else {"title": ""}
    return alt.Axis(
        minExtent=_LABELS,
        maxExtent=_LABELS,
        labelLimit=_LABELS - 8,
        labelFontSize=size,
        titleFontSize=10,
        tickCount=ticks,
        **how,
    )


def series(names: Sequence[str]) -> dict[str, Any]:
    """Colour and dash of each name, in one legend below."""
    import altair as alt

    legend = alt.Legend(
        orient="bottom", title="", columns=4, labelLimit=150, symbolType="stroke", symbolSize=250
    )
    return series_encodings(names, legend)


def event_marks(history: Mapping[str, Any], columns: Sequence[Mapping[str, str]]) -> list[Any]:
    """Releases as green lines with the version, alerts as red triangles at the upper edge."""
    import altair as alt

    layers: list[Any] = []
    if history["releases"]:
        rows = [{"x": each["time"], "name": f"v{each['version']}"} for each in history["releases"]]
        rule = alt.Chart(alt.InlineData(values=rows)).mark_rule(
            color=GREEN, strokeDash=[5, 3], strokeWidth=1.5, aria=False
        )
        text = alt.Chart(alt.InlineData(values=_apart(rows, columns)))
        text = text.mark_text(
            color=GREEN, fontSize=9, fontWeight="bold", baseline="bottom", dy=-1, aria=False
        )
        layers += [
            rule.encode(x=time_axis(columns)),
            text.encode(x=time_axis(columns), y=alt.value(0), text="name:N"),
        ]
    if history["alerts"]:
        rows = [{"x": each["time"]} for each in history["alerts"]]
        marks = alt.Chart(alt.InlineData(values=rows))
        marks = marks.mark_point(
            shape="triangle-down", color=DARK, fill=RED, size=46, opacity=1, strokeWidth=0.7, aria=False
        )
        layers.append(marks.encode(x=time_axis(columns), y=alt.value(1)))
    return layers


def _apart(rows: Sequence[dict[str, str]], columns: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Names that do not overlap; of a crowd the last one stands for all."""
    length = parse_time(columns[-1]["end"]) - parse_time(columns[0]["start"])
    found: list[tuple[datetime, dict[str, str]]] = []
    for row in rows:
        moment = parse_time(row["x"])
        if found and moment - found[-1][0] < _NEAR * length:
            found.pop()
        found.append((moment, row))
    return [row for _, row in found]
