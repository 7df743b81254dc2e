"""Pictures of pages as Vega-Lite specifications, written out: a server has no time to load a library for them.

Colours are names of the page's style sheet, such as `var(--c1)`, so that a picture fits the light and the dark.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # a name, never asked for
ACCENT, SECOND, GREY = "var(--c1)", "var(--c2)", "var(--grey)"
GOOD, BAD, WARN = "var(--good)", "var(--bad)", "var(--warn)"
_EVENTS = {
    "release": (GOOD, "triangle-up"),
    "rollback": (BAD, "triangle-down"),
    "refused": (GREY, "cross"),
    "alert": (WARN, "diamond"),
    "incident": (BAD, "square"),
}
TIME = {"field": "start", "type": "temporal", "title": None}


def finished(layers: Sequence[Spec], *, height: int = 220, **more: Any) -> Spec:
    """Layers in one picture as wide as its place."""
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "layer": list(layers),
        **more,
    }


def values(rows: Sequence[Mapping[str, Any]]) -> Spec:
    """Rows as the data of a layer."""
    return {"values": [dict(row) for row in rows]}


def series_layers(points: Sequence[Mapping[str, Any]], title: str, colour: str = ACCENT) -> list[Spec]:
    """A band of intervals with its line; each point has start, value, low and high."""
    y = {"type": "quantitative", "title": title, "scale": {"zero": False}}
    tips = [
        {"field": "start", "type": "temporal", "title": "from"},
        {"field": "value", "type": "quantitative", "title": title, "format": ".4~g"},
        {"field": "low", "type": "quantitative", "format": ".4~g"},
        {"field": "high", "type": "quantitative", "format": ".4~g"},
    ]
    band = {
        "data": values(points),
        "mark": {"type": "area", "opacity": 0.18, "color": colour},
        "encoding": {"x": TIME, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
    }
    line = {
        "data": values(points),
        "mark": {"type": "line", "color": colour, "point": {"color": colour, "size": 22}},
        "encoding": {"x": TIME, "y": {**y, "field": "value"}, "tooltip": tips},
    }
    return [band, line]


def quality_chart(found: Mapping[str, Any], events: Sequence[Mapping[str, Any]] = ()) -> Spec | None:
    """A metric through time: measured with its interval, estimated, control limits, accepted, and what happened.

    Args:
        found: `quality` of the performance page.
        events: Of the first page; they stand at the foot.
    """
    points = found["points"]
    if not points:
        return None
    title = found["metric"]
    layers = []
    if found["limits"]:
        limits = {
            "data": values(found["limits"]),
            "encoding": {"x": TIME},
            "layer": [
                {
                    "mark": {"type": "line", "interpolate": "step", "strokeDash": [3, 3], "color": GREY},
                    "encoding": {"y": {"field": side, "type": "quantitative", "title": title}},
                }
                for side in ("low", "high")
            ],
        }
        layers.append(limits)
    if found["accepted"] is not None:
        layers.append(_level(found["accepted"], GOOD))
    if found["estimated"]:
        layers += series_layers(found["estimated"], title, SECOND)[1:]
    layers += series_layers(points, title)
    first = points[0]["start"]
    marked = [each for each in events if each["time"] >= first]
    if marked:
        layers.append(_events(marked))
    return finished(layers, height=260, resolve={"scale": {"color": "independent"}})


def _level(value: float, colour: str) -> Spec:
    return {
        "data": {"values": [{"level": value}]},
        "mark": {"type": "rule", "strokeDash": [8, 4], "color": colour},
        "encoding": {"y": {"field": "level", "type": "quantitative"}},
    }


def _events(events: Sequence[Mapping[str, Any]]) -> Spec:
    """Signs at the foot of the picture, told apart by shape as well as by colour."""
    kinds = [kind for kind in _EVENTS if any(each["kind"] == kind for each in events)]
    shown = [{**each, "about": str(each["about"])[:80]} for each in events]
    scale = {"domain": kinds}
    return {
        "data": values(shown),
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "yOffset": -6},
        "encoding": {
            "x": {"field": "time", "type": "temporal", "title": None},
            "y": {"value": {"expr": "height"}},
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {**scale, "range": [_EVENTS[kind][0] for kind in kinds]},
                "legend": None,
            },
            "shape": {
                "field": "kind",
                "type": "nominal",
                "scale": {**scale, "range": [_EVENTS[kind][1] for kind in kinds]},
                "legend": None,
            },
            "tooltip": [
                {"field": "time", "type": "temporal", "format": "%Y-%m-%d %H:%M"},
                {"field": "kind", "type": "nominal"},
                {"field": "about", "type": "nominal"},
            ],
        },
    }


def money_chart(periods: Sequence[Mapping[str, Any]]) -> Spec | None:
    """Money by period as bars, and all of it so far as a line.

    Args:
        periods: Of `vitok earned --json`.
    """
    rows, total = [], 0.0
    for period in periods:
        if period["over_nobody"] is None:
            continue
        total += period["over_nobody"]
        rows.append({"start": period["start"], "earned": period["over_nobody"], "total": total})
    if not rows:
        return None
    x = {**TIME, "timeUnit": "utcyearmonth"}
    tips = [
        {"field": "start", "type": "temporal", "timeUnit": "utcyearmonth", "title": "month"},
        {"field": "earned", "type": "quantitative", "format": ",.0f"},
        {"field": "total", "type": "quantitative", "format": ",.0f"},
    ]
    bars = {
        "mark": {"type": "bar", "color": ACCENT, "opacity": 0.75},
        "encoding": {
            "x": x,
            "y": {
                "field": "earned",
                "type": "quantitative",
                "title": None,
                "axis": {"format": ",.0f"},
            },
            "tooltip": tips,
        },
    }
    line = {
        "mark": {"type": "line", "color": SECOND, "point": {"color": SECOND}},
        "encoding": {
            "x": x,
            "y": {"field": "total", "type": "quantitative", "axis": {"format": ",.0f"}},
            "tooltip": tips,
        },
    }
    return finished([bars, line], data=values(rows))


def bars_chart(rows: Sequence[Mapping[str, Any]], label: str, value: str) -> Spec:
    """Horizontal bars in the order of the rows."""
    y = {"field": label, "type": "nominal", "title": None, "sort": None, "axis": {"labelLimit": 220}}
    x = {"field": value, "type": "quantitative", "title": None}
    bars = {"mark": {"type": "bar", "color": ACCENT, "opacity": 0.8}, "encoding": {"x": x, "y": y}}
    found = finished([bars], data=values(rows))
    return {**found, "height": {"step": 24}, "autosize": {"type": "fit-x", "contains": "padding"}}


def labels_chart(columns: Sequence[Mapping[str, Any]]) -> Spec | None:
    """Predictions by span, and how many of them have their label."""
    rows = [
        {
            "start": each["start"],
            "end": each["end"],
            "kind": kind,
            "low": low,
            "high": high,
            "count": high - low,
        }
        for each in columns
        for kind, low, high in (
            ("labelled", 0, each["labelled"]),
            ("without label", each["labelled"], each["rows"]),
        )
    ]
    if not rows:
        return None
    scale = {"domain": ["labelled", "without label"], "range": [ACCENT, SECOND]}
    bars = {
        "mark": {"type": "rect", "stroke": "var(--card)"},
        "encoding": {
            "x": TIME,
            "x2": {"field": "end"},
            "y": {"field": "low", "type": "quantitative", "title": None, "axis": {"format": "~s"}},
            "y2": {"field": "high"},
            "color": {"field": "kind", "type": "nominal", "scale": scale},
            "tooltip": [
                {"field": "start", "type": "temporal"},
                {"field": "kind", "type": "nominal"},
                {"field": "count", "type": "quantitative", "format": ",d"},
            ],
        },
    }
    return finished([bars], height=110, data=values(rows))


def kpi_chart(periods: Sequence[Mapping[str, Any]], kpi: Mapping[str, Any]) -> Spec | None:
    """The KPI by period with its interval.

    Args:
        periods, kpi: Of `vitok earned --json`.
    """
    points = [{"start": each["start"], **each["kpi"]} for each in periods if each["kpi"] is not None]
    if not points:
        return None
    return finished(series_layers(points, kpi["metric"] or kpi["name"]), height=200)


def policies_chart(result: Mapping[str, Any] | None) -> Spec | None:
    """Quality of each policy through time.

    Args:
        result: What `vitok replay --json` prints; None draws nothing.
    """
    if result is None:
        return None
    metric = result["metric"]
    rows = [
        {"start": window["start"], "policy": policy["name"], **window["metrics"][metric]}
        for policy in result["policies"]
        for window in policy["windows"]
        if metric in window["metrics"]
    ]
    if not rows:
        return None
    names = [policy["name"] for policy in result["policies"]]
    colours = [f"var(--c{place % 5 + 1})" for place in range(len(names))]
    colour = {"field": "policy", "type": "nominal", "scale": {"domain": names, "range": colours}}
    y = {"type": "quantitative", "title": metric, "scale": {"zero": False}}
    tips = [
        {"field": "policy", "type": "nominal"},
        {"field": "start", "type": "temporal"},
        {"field": "value", "type": "quantitative", "format": ".4~g", "title": metric},
    ]
    rule = {
        "mark": {"type": "rule", "opacity": 0.4},
        "encoding": {"x": TIME, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
    }
    line = {
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": TIME,
            "y": {**y, "field": "value"},
            "color": colour,
            "strokeDash": {"field": "policy", "type": "nominal", "scale": {"domain": names}, "legend": None},
            "tooltip": tips,
        },
    }
    return finished([rule, line], height=280, data=values(rows))
