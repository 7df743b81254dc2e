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
    scale = {"scheme": "blueorange", "reverse": True, "domainMid": middle}
    scale["domain"] = [middle - reach, middle + reach]
    more = [
        {"field": "low", "type": "quantitative", "format": ".4~g"},
        {"field": "high", "type": "quantitative", "format": ".4~g"},
        {"field": "rows", "type": "quantitative", "format": ",d"},
    ]
    segments = sorted({each["segment"] for each in cells})
    return _cells(cells, ("segment", segments), ("value", metric), scale, more)


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
    scale = {"scheme": "oranges", "type": "sqrt"}
    return _cells(cells, ("feature", list(by_feature)), ("psi", "PSI"), scale, [])


def _cells(
    cells: Sequence[Mapping[str, Any]],
    line: tuple[str, list[str]],
    shown: tuple[str, str],
    scale: Spec,
    more: list[Spec],
) -> Spec:
    """Cells from start to end on lines, coloured by a figure.

    Args:
        line: Field that names the lines, and their order.
        shown: Field of the figure, and its name.
        scale: Of the colours.
        more: What else a cell tells when it is pointed at.
    """
    (name, order), (field, title) = line, shown
    figure = {"field": field, "type": "quantitative", "title": title}
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
            "y": {"field": name, "type": "nominal", "title": None, "sort": order},
            "color": {**figure, "scale": scale, "legend": {"format": ".3~g", "gradientLength": 160}},
            "tooltip": [
                {"field": name, "type": "nominal"},
                {"field": "start", "type": "temporal"},
                {**figure, "format": ".4~g"},
                *more,
            ],
        },
    }
