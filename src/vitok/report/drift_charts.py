"""Pictures of drift: distributions through time against what they were, missing values, quality, segments.

Colours run from blue over grey to orange, which readers with any colour vision tell apart.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vitok.report.chart_style import BLUE, DARK, GREY, RED, WIDTH, chart_title, finished
from vitok.report.drift_marks import (
    event_marks,
    middle,
    panel_title,
    plain,
    runs,
    series,
    time_axis,
    y_axis,
)

_BARS = 130
_ROW, _SMALL_ROW, _STRIP = 15, 10, 46
_NONE = "#dcdcdc"  # where there are no rows
_SMOOTH = 0.01  # added to shares, so that a rare row does not glow
_STEP = 0.25  # of the logarithm: finer shades cannot be told apart
_TINY = 0.005
_LINES = 6
_SHADES = ("#0b5394", "#f4f4f4", "#c45100")  # fewer, as many, more
_TIMES = "{'-2': '¼', '-1': '½', '0': 'as many', '1': 'twice', '2': '4 times'}"


def overview_chart(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Score and top features through time, below each other.

    Args:
        payload: What `vitok drift --json` prints.
    """
    import altair as alt

    history = payload["history"]
    panels = [
        _heat(name, feature, payload, row=_SMALL_ROW, legend=place == 0)
        for place, (name, feature) in enumerate(history["features"].items())
    ]
    window = payload["window"]
    part = "" if window["slice"] is None else f", {plain(window['slice'])}"
    title = f"{plain(payload['project'])}{part}: distributions through time"
    page = alt.vconcat(*panels, spacing=22, title=chart_title(title, drift_caption(payload), 16))
    return finished(page)


def drift_caption(payload: Mapping[str, Any]) -> str:
    """How to read the heat maps."""
    history = payload["history"]
    held = "the reference" if history["then"] == "reference" else "the average of all columns"
    now = " to ".join(payload["window"][end][:16].removesuffix("T00:00") for end in ("start", "end"))
    return (
        f"A column of colour is {history['column_length']}; orange: more rows than in {held}, blue: fewer, "
        "grey: no rows. "
        f"Bars: wide and grey then, narrow and blue now, {now}. "
        "Green lines: another version answers. Red triangles: alerts."
    )


def feature_chart(name: str, payload: Mapping[str, Any], *, legend: bool = True) -> dict[str, Any]:
    """One column: its distance, its distribution through time, and then and now side by side."""
    import altair as alt

    feature = payload["history"]["features"][name]
    panels = [
        _distance(feature, payload),
        _heat(name, feature, payload, row=_ROW, legend=legend, title=False),
    ]
    return finished(alt.vconcat(*panels, spacing=6))


def _heat(
    name: str,
    feature: Mapping[str, Any],
    payload: Mapping[str, Any],
    *,
    row: int,
    legend: bool,
    title: bool = True,
) -> Any:
    import altair as alt

    history = payload["history"]
    columns, labels = history["columns"], _labels(feature)
    kept = [place for place in range(len(labels)) if _is_used(feature, place)]
    order = [labels[place] for place in kept]
    cells = [
        {"label": labels[place], "x": columns[start]["start"], "x2": columns[end]["end"], "ratio": ratio}
        for place in kept
        for start, end, ratio in runs([_ratio(feature, place, each) for each in feature["shares"]])
    ]
    colour = alt.Color(
        "ratio:Q",
        scale=alt.Scale(domain=[-2, 0, 2], range=list(_SHADES), clamp=True),
        legend=_legend(history) if legend else None,
    )
    y = alt.Y(
        "label:N",
        sort=order,
        title="",
        scale=alt.Scale(domain=order),
        axis=y_axis(size=9 if row < 12 else 10),
    )
    rects = alt.Chart(alt.InlineData(values=cells)).mark_rect(aria=False).encode(
        x=time_axis(columns), x2="x2", y=y, color=colour
    )  # fmt: skip
    height = row * len(order)
    heat = alt.layer(rects, *event_marks(history, columns)).properties(
        width=WIDTH, height=height, view=alt.ViewBackground(fill=_NONE)
    )
    pair = alt.hconcat(heat, _bars(feature, labels, kept, height, row), spacing=8)
    return pair.properties(title=panel_title(_headline(name, payload))) if title else pair


def _legend(history: Mapping[str, Any]) -> Any:
    import altair as alt

    held = "in the reference" if history["then"] == "reference" else "on average"
    return alt.Legend(
        title=f"Share of the rows against that {held}",
        orient="top",
        direction="horizontal",
        gradientLength=300,
        gradientThickness=9,
        values=[-2, -1, 0, 1, 2],
        labelExpr=f"({_TIMES})[datum.value]",
        titleLimit=WIDTH,
    )


def _labels(feature: Mapping[str, Any]) -> list[str]:
    """Labels that can be shown, each once."""
    found: list[str] = []
    for label in feature["labels"]:
        text = plain(label)
        found.append(text if text not in found else f"{text} ({len(found)})")
    return found


def _is_used(feature: Mapping[str, Any], place: int) -> bool:
    """Whether a row ever has anything in it."""
    shares = [feature["then"], feature["now"], *(each for each in feature["shares"] if each is not None)]
    return any(each[place] > 0 for each in shares)


def _ratio(feature: Mapping[str, Any], place: int, shares: Sequence[float] | None) -> float | None:
    if shares is None:
        return None
    ratio = math.log2((shares[place] + _SMOOTH) / (feature["then"][place] + _SMOOTH))
    return min(2.0, max(-2.0, round(ratio / _STEP) * _STEP))


def _bars(
    feature: Mapping[str, Any], labels: Sequence[str], kept: Sequence[int], height: int, row: int
) -> Any:
    import altair as alt

    order = [labels[place] for place in kept]
    data = alt.Chart(
        alt.InlineData(
            values=[
                {"label": labels[place], "then": feature["then"][place], "now": feature["now"][place]}
                for place in kept
            ]
        )
    )
    y = alt.Y("label:N", sort=order, axis=None, scale=alt.Scale(domain=order))
    axis = alt.Axis(format=".0%", tickCount=3, title="", labelFontSize=9)
    then = data.mark_bar(color="#bdbdbd", size=row - 2, aria=False).encode(x=alt.X("then:Q", axis=axis), y=y)
    now = data.mark_bar(color=BLUE, size=max(3, row // 3), aria=False).encode(
        x=alt.X("now:Q", axis=axis), y=y
    )
    return alt.layer(then, now).properties(width=_BARS, height=height)


def _headline(name: str, payload: Mapping[str, Any]) -> str:
    line = next((each for each in payload["ranking"] if each["feature"] == name), None)
    if line is None or line["psi"] is None:
        return f"{plain(name)}: too few values in the window"
    usual = "" if line["usual"] is None else f", usual windows reach {line['usual']:.2f}"
    since = "" if line["since"] is None else f", off the reference since {line['since'][:10]}"
    return f"{plain(name)}: PSI {line['psi']['value']:.2f}{usual}{since}"


def _distance(feature: Mapping[str, Any], payload: Mapping[str, Any]) -> Any:
    """PSI of each column of time; a red dot where windows of it had moved."""
    import altair as alt

    columns = payload["history"]["columns"]
    rows = [
        {"x": middle(column), "psi": psi, "moved": moved}
        for column, psi, moved in zip(columns, feature["psi"], feature["moved"], strict=True)
        if psi is not None
    ]
    y = alt.Y("psi:Q", title="PSI", axis=y_axis(ticks=3, title=True))
    data = alt.Chart(alt.InlineData(values=rows))
    limit = alt.Chart(alt.InlineData(values=[{"psi": payload["effect"]}]))
    dots = alt.Chart(alt.InlineData(values=[row for row in rows if row["moved"]]))
    layers = [
        limit.mark_rule(color=GREY, strokeDash=[4, 3], aria=False).encode(y=y),
        data.mark_line(color=DARK, strokeWidth=1.2, aria=False).encode(
            x=time_axis(columns, shown=False), y=y
        ),
        dots.mark_point(color=RED, filled=True, size=22, opacity=1, aria=False).encode(
            x=time_axis(columns, shown=False), y=y
        ),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=_STRIP)


def absence_chart(kind: str, history: Mapping[str, Any]) -> dict[str, Any] | None:
    """Missing values, or levels never seen, through time; None where there are next to none.

    Args:
        kind: `missing` or `unseen`.
    """
    import altair as alt

    columns = history["columns"]
    most = {
        name: max((each for each in feature[kind] if each is not None), default=0.0)
        for name, feature in history["features"].items()
    }
    names = sorted((name for name in most if most[name] >= _TINY), key=lambda name: -most[name])[:_LINES]
    if not names:
        return None
    rows = [
        {"x": middle(column), "share": share, "name": plain(name)}
        for name in names
        for column, share in zip(columns, history["features"][name][kind], strict=True)
        if share is not None
    ]
    title = {"missing": "Share of values that are missing", "unseen": "Share of values whose level is new"}[
        kind
    ]
    y = alt.Y("share:Q", title="", axis=y_axis(ticks=5, form=".0%"))
    lines = alt.Chart(alt.InlineData(values=rows)).mark_line(strokeWidth=1.8, aria=False)
    coded = series([plain(name) for name in names])
    layers = [lines.encode(x=time_axis(columns), y=y, **coded), *event_marks(history, columns)]
    return finished(alt.layer(*layers).properties(width=WIDTH + _BARS, height=150, title=panel_title(title)))
