"""Pictures of slices and of drift through time, as Vega-Lite specifications written out."""

from collections.abc import Mapping, Sequence
from typing import Any

from vitok.report.page_charts import ACCENT, SCHEMA, SECOND, TIME, Spec, finished, values


def heat_chart(cells: Sequence[Mapping[str, Any]], accepted: float | None, metric: str) -> Spec | None:
    """A metric by segment and time; the colour says how far it is from what was accepted.

    Args:
        cells: `cells` of the segments of `vitok drift --json`.
    """
    if not cells:
        return None
    middle = accepted if accepted is not None else sum(each["value"] for each in cells) / len(cells)
    reach = max(abs(each["value"] - middle) for each in cells) or 1.0
    segments = sorted({each["segment"] for each in cells})
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": {"step": 26},
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": values(cells),
        "mark": {"type": "rect"},
        "encoding": {
            "x": {**TIME, "field": "start"},
            "x2": {"field": "end"},
            "y": {"field": "segment", "type": "nominal", "title": None, "sort": segments},
            "color": {
                "field": "value",
                "type": "quantitative",
                "title": metric,
                "scale": {"scheme": "blueorange", "reverse": True, "domainMid": middle}
                | {"domain": [middle - reach, middle + reach]},
                "legend": {"format": ".3~g", "gradientLength": 160},
            },
            "tooltip": [
                {"field": "segment", "type": "nominal"},
                {"field": "start", "type": "temporal"},
                {"field": "value", "type": "quantitative", "format": ".4~g", "title": metric},
                {"field": "low", "type": "quantitative", "format": ".4~g"},
                {"field": "high", "type": "quantitative", "format": ".4~g"},
                {"field": "rows", "type": "quantitative", "format": ",d"},
            ],
        },
    }


def shape_chart(labels: Sequence[str], then: Sequence[float], now: Sequence[float]) -> Spec:
    """A distribution then (outline) and now (bars), by bin from the lowest.

    Args:
        labels: Of the bins, the highest first, as `vitok drift --json` has them.
        then, now: Share of each.
    """
    rows = [
        {"bin": label, "then": a, "now": b}
        for label, a, b in reversed(list(zip(labels, then, now, strict=True)))
    ]
    x = {
        "field": "bin",
        "type": "nominal",
        "sort": None,
        "title": None,
        "axis": {"labelAngle": -40, "labelLimit": 90},
    }
    y = {"type": "quantitative", "title": None, "axis": {"format": "%"}}
    tips = [
        {"field": "bin", "type": "nominal"},
        {"field": "then", "type": "quantitative", "format": ".1%"},
        {"field": "now", "type": "quantitative", "format": ".1%"},
    ]
    return finished(
        [
            {
                "mark": {"type": "bar", "color": ACCENT, "opacity": 0.75},
                "encoding": {"x": x, "y": {**y, "field": "now"}, "tooltip": tips},
            },
            {
                "mark": {"type": "tick", "color": SECOND, "thickness": 3},
                "encoding": {"x": x, "y": {**y, "field": "then"}, "tooltip": tips},
            },
        ],
        height=150,
        data=values(rows),
    )


def distance_chart(
    columns: Sequence[Mapping[str, Any]], by_feature: Mapping[str, Sequence[float | None]]
) -> Spec | None:
    """How far each feature was from the reference, by span of time.

    Args:
        columns: Spans, with start and end.
        by_feature: PSI of each span; None where there were no rows.
    """
    cells = [
        {"feature": name, "start": span["start"], "end": span["end"], "psi": psi}
        for name, found in by_feature.items()
        for span, psi in zip(columns, found, strict=True)
        if psi is not None
    ]
    if not cells:
        return None
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": {"step": 26},
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": values(cells),
        "mark": {"type": "rect"},
        "encoding": {
            "x": TIME,
            "x2": {"field": "end"},
            "y": {"field": "feature", "type": "nominal", "title": None, "sort": list(by_feature)},
            "color": {
                "field": "psi",
                "type": "quantitative",
                "title": "PSI",
                "scale": {"scheme": "oranges", "type": "sqrt"},
                "legend": {"gradientLength": 160},
            },
            "tooltip": [
                {"field": "feature", "type": "nominal"},
                {"field": "start", "type": "temporal"},
                {"field": "psi", "type": "quantitative", "format": ".3~g", "title": "PSI"},
            ],
        },
    }
