"""Quality through time: what labels said, what was estimated before them, and where it went down."""

from collections.abc import Mapping, Sequence
from typing import Any

from vitok.report.chart_style import BLUE, DARK, GREY, HEIGHT, ORANGE, WIDTH, finished
from vitok.report.drift_marks import event_marks, middle, panel_title, plain, time_axis, y_axis
from vitok.stats.catalogue import METRICS

_WIDE = WIDTH + 130  # as wide as the pictures of columns
_MEASURED, _ESTIMATED, _LIMITS, _ACCEPTED = (
    "measured on labels, 90 % interval",
    "estimated without labels (dotted, hollow)",
    "control limits (grey band)",
    "when it was accepted (broken line)",
)
_ROW = 22
_MOST_SEGMENTS = 25


def quality_chart(history: Mapping[str, Any]) -> dict[str, Any] | None:
    """The main metric with its intervals, limits, accepted value and estimates; None if there is nothing yet."""
    import altair as alt

    quality, columns = history["quality"], history["columns"]
    points, told = _placed(quality["points"]), _placed(quality["estimated"])
    if not points and not told:
        return None
    y = alt.Y("value:Q", title="", scale=alt.Scale(zero=False), axis=y_axis())
    kinds = {_MEASURED: BLUE, _ESTIMATED: ORANGE, _LIMITS: "#9a9a9a", _ACCEPTED: DARK}
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=list(kinds), range=list(kinds.values())),
        legend=alt.Legend(orient="bottom", title="", columns=2, labelLimit=300),
    )
    x = time_axis(columns)
    layers = [*_limits(quality["limits"], x, colour), *_estimated(told, x, y, colour)]
    if quality["accepted"] is not None:
        accepted = alt.Chart(alt.InlineData(values=[{"value": quality["accepted"], "kind": _ACCEPTED}]))
        layers.append(
            accepted.mark_rule(strokeDash=[7, 4], strokeWidth=1.5, aria=False).encode(y=y, color=colour)
        )
    measured = alt.Chart(alt.InlineData(values=[{**each, "kind": _MEASURED} for each in points]))
    layers += [
        measured.mark_rule(strokeWidth=1, opacity=0.55, aria=False).encode(
            x=x, y=alt.Y("low:Q", title=""), y2="high:Q", color=colour
        ),
        measured.mark_line(strokeWidth=1.4, aria=False).encode(x=x, y=y, color=colour),
        measured.mark_point(filled=True, size=24, opacity=1, aria=False).encode(x=x, y=y, color=colour),
        *event_marks(history, columns),
    ]
    title = panel_title(f"{quality['metric']} through time", quality["limits_from"])
    return finished(alt.layer(*layers).properties(width=_WIDE, height=HEIGHT * 3 // 4, title=title))


def _placed(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**{name: point[name] for name in ("value", "low", "high")}, "x": middle(point)} for point in points
    ]


def _limits(limits: Sequence[Mapping[str, Any]], x: Any, colour: Any) -> list[Any]:
    import altair as alt

    rows = [{"x": middle(each), "low": each["low"], "high": each["high"], "kind": _LIMITS} for each in limits]
    if not rows:
        return []
    data = alt.Chart(alt.InlineData(values=rows))
    low = alt.Y("low:Q", title="")
    return [
        data.mark_area(opacity=0.16, interpolate="step", color=GREY, aria=False).encode(
            x=x, y=low, y2="high:Q"
        ),
        data.mark_line(strokeWidth=0.8, interpolate="step", aria=False).encode(x=x, y=low, color=colour),
        data.mark_line(strokeWidth=0.8, interpolate="step", aria=False).encode(
            x=x, y=alt.Y("high:Q", title=""), color=colour
        ),
    ]


def _estimated(points: Sequence[Mapping[str, Any]], x: Any, y: Any, colour: Any) -> list[Any]:
    """Estimates: a dotted line with hollow diamonds, so that nobody takes them for measured."""
    import altair as alt

    if not points:
        return []
    data = alt.Chart(alt.InlineData(values=[{**each, "kind": _ESTIMATED} for each in points]))
    low = alt.Y("low:Q", title="")
    return [
        data.mark_rule(strokeWidth=0.8, strokeDash=[1, 2], opacity=0.6, aria=False).encode(
            x=x, y=low, y2="high:Q", color=colour
        ),
        data.mark_line(strokeWidth=1.2, strokeDash=[2, 3], aria=False).encode(x=x, y=y, color=colour),
        data.mark_point(
            filled=False, shape="diamond", size=26, opacity=0.9, strokeWidth=1.1, aria=False
        ).encode(x=x, y=y, color=colour),
    ]


def segments_chart(history: Mapping[str, Any]) -> dict[str, Any] | None:
    """The main metric by segment and time, against what was accepted; None if no segment was measured."""
    import altair as alt

    segments, columns = history["segments"], history["columns"]
    cells = segments["cells"]
    if not cells:
        return None
    names = sorted({each["segment"] for each in cells}, key=lambda name: -_rows_of(name, cells))[
        :_MOST_SEGMENTS
    ]
    label, metric = {name: plain(name) for name in names}, segments["metric"]
    rows = [
        {
            "label": label[each["segment"]],
            "x": each["start"],
            "x2": each["end"],
            "value": round(each["value"], 4),
        }
        for each in cells
        if each["segment"] in label
    ]
    y = alt.Y("label:N", sort=sorted(label.values()), title="", axis=y_axis())
    rects = alt.Chart(alt.InlineData(values=rows)).mark_rect(aria=False).encode(
        x=time_axis(columns), x2="x2", y=y, color=_worse_and_better(segments)
    )  # fmt: skip
    page = alt.layer(rects, *event_marks(history, columns)).properties(
        width=_WIDE,
        height=_ROW * len(names),
        view=alt.ViewBackground(fill="#dcdcdc"),
        title=panel_title(f"{metric} by segment; orange is worse"),
    )
    return finished(page)


def _worse_and_better(segments: Mapping[str, Any]) -> Any:
    """Orange for worse than accepted, blue for better, whichever way the metric counts."""
    import altair as alt

    metric, values = segments["metric"], [each["value"] for each in segments["cells"]]
    middle_value = segments["accepted"] if segments["accepted"] is not None else sum(values) / len(values)
    far = max(abs(each - middle_value) for each in values) or 1.0
    is_higher_better = metric not in METRICS or METRICS[metric].higher_is_better
    shades = ["#c45100", "#f4f4f4", "#0b5394"]
    return alt.Color(
        "value:Q",
        scale=alt.Scale(
            domain=[middle_value - far, middle_value, middle_value + far],
            range=shades if is_higher_better else shades[::-1],
        ),
        legend=alt.Legend(
            title=f"{metric}; grey is what was accepted", orient="top", gradientLength=260, titleLimit=_WIDE
        ),
    )


def _rows_of(name: str, cells: Sequence[Mapping[str, Any]]) -> int:
    return sum(each["rows"] for each in cells if each["segment"] == name)
