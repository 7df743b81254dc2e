"""Charts as Vega-Lite specifications: from the objects that commands print, nothing reckoned anew."""

from typing import Any

from vitok.report.chart_style import (
    BLUE,
    GREEN,
    GREY,
    HEIGHT,
    ORANGE,
    RED,
    WIDTH,
    chart_title,
    finished,
)

_NAMES = {
    "used": "in use",
    "best": "best on these rows",
    "elkan": "best if calibrated (Elkan)",
    "flag_nobody": "flag nobody",
    "flag_everybody": "flag everybody",
}
_SYMBOLS = dict(zip(_NAMES.values(), ("circle", "diamond", "triangle-up", "stroke", "stroke"), strict=True))
_FIGURES = {
    "build": "build cost",
    "yearly": "running cost",
    "value": "value of a unit",
    "events": "events a year",
    "prevented": "share prevented",
}


def roi_chart(payload: dict[str, Any]) -> dict[str, Any]:
    """Profit curve, cash flow and tornado below each other, and the learning curve if there is one.

    Args:
        payload: What `vitok roi --json` prints.
    """
    import altair as alt

    decisions, panels = payload["decisions"] or {}, []
    if decisions.get("curve"):
        panels.append(_profit(decisions))
    panels.append(_cash_flow(payload["years"]))
    if payload["range"] is not None:
        panels.append(_tornado(payload["range"]["tornado"], payload["npv"]))
    if payload.get("waiting"):
        panels.append(_learning(payload["waiting"]))
    page = alt.vconcat(*panels, spacing=40).resolve_scale(
        color="independent", shape="independent", x="independent"
    )
    return finished(page)


def effort_chart(payload: dict[str, Any]) -> dict[str, Any]:
    """Verdicts over effort, the best so far, the fitted curve and where it leads.

    Args:
        payload: What `vitok effort --json` prints.
    """
    import altair as alt

    metric = payload["metric"]
    spent = "person- and compute hours" if payload["unit"] == "hours" else "money"
    x = alt.X("effort:Q", title=f"Effort so far ({spent})", scale=alt.Scale(nice=False, padding=12))
    y = alt.Y("value:Q", title=f"{metric} on the test rows", scale=alt.Scale(zero=False))
    points = payload["points"]
    verdicts = alt.Chart(alt.InlineData(values=points))
    known = sorted({point["verdict"] for point in points})
    colour = alt.Scale(
        domain=known, range=[{"accepted": BLUE, "refused": RED}.get(name, ORANGE) for name in known]
    )
    layers: list[Any] = [
        verdicts.mark_rule(color=GREY, opacity=0.6).encode(x=x, y=alt.Y("low:Q", title=""), y2="high:Q"),
        verdicts.mark_line(interpolate="step-after", color=GREY, strokeWidth=1).encode(
            x=x, y=alt.Y("best:Q", title="")
        ),
        verdicts.mark_point(filled=True, size=70, opacity=1).encode(
            x=x,
            y=y,
            color=alt.Color("verdict:N", title="Verdict", scale=colour),
            shape=alt.Shape("verdict:N", title="Verdict", scale=alt.Scale(domain=known)),
        ),
    ]
    if payload["curve"]:
        layers += _fitted(payload, x)
    advice = payload["advice"]
    refused = payload["refused"]
    said = advice["sentence"] if advice else f"The effort {refused['what']}. {refused['remedy']}"
    title = f"{metric} over effort: bars are 90 % intervals, the grey line is the best so far"
    return finished(alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, title=chart_title(title, said)))


def _fitted(payload: dict[str, Any], x: Any) -> list[Any]:
    """The curve: full up to the last verdict, broken beyond."""
    import altair as alt

    last = payload["points"][-1]["effort"]
    parts = []
    for dash, part in (
        ([1, 0], [point for point in payload["curve"] if point["effort"] <= last]),
        ([5, 4], [point for point in payload["curve"] if point["effort"] >= last]),
    ):
        line = alt.Chart(alt.InlineData(values=part)).mark_line(color=GREEN, strokeWidth=2.5, strokeDash=dash)
        parts.append(line.encode(x=x, y=alt.Y("value:Q", title="")))
    return parts


def _profit(decisions: dict[str, Any]) -> Any:
    import altair as alt

    x = alt.X("threshold:Q", title="Threshold: the score from which a row is flagged")
    y = alt.Y("profit:Q", title="Profit per 1 000 decisions (money)", axis=alt.Axis(format=",.0f"))
    curve = [{"threshold": p["threshold"], "profit": p["profit_per_1000"]} for p in decisions["curve"]]
    marked = [_marked(name, found) for name, found in decisions["policies"].items() if name in _NAMES]
    names = [mark["name"] for mark in marked]
    colours = dict(zip(_NAMES.values(), (BLUE, ORANGE, GREEN, GREY, RED), strict=True))
    colour = alt.Color(
        "name:N",
        title="90 % intervals in brackets",
        scale=alt.Scale(domain=names, range=[colours[mark["kind"]] for mark in marked]),
        legend=alt.Legend(orient="bottom", columns=1, labelLimit=WIDTH, symbolSize=90),
    )
    shape = alt.Shape(
        "name:N",
        title="90 % intervals in brackets",
        scale=alt.Scale(domain=names, range=[_SYMBOLS[mark["kind"]] for mark in marked]),
        legend=alt.Legend(orient="bottom", columns=1, labelLimit=WIDTH, symbolSize=90),
    )
    points = alt.Chart(alt.InlineData(values=[mark for mark in marked if mark["threshold"] is not None]))
    lines = alt.Chart(alt.InlineData(values=[mark for mark in marked if mark["threshold"] is None]))
    layers = [
        alt.Chart(alt.InlineData(values=curve)).mark_line(color="#333333", strokeWidth=2).encode(x=x, y=y),
        lines.mark_rule(strokeDash=[6, 4], strokeWidth=2).encode(y=y, color=colour),
        points.mark_rule(strokeWidth=2).encode(x=x, y=alt.Y("low:Q", title=""), y2="high:Q", color=colour),
        points.mark_point(filled=True, size=80, opacity=1).encode(x=x, y=y, color=colour, shape=shape),
    ]
    where = "in production" if decisions["basis"] == "production" else "the latest accepted"
    title = f"What decisions of version {decisions['version']} ({where}) earn, by threshold"
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, title=chart_title(title))


def _marked(name: str, found: dict[str, Any]) -> dict[str, Any]:
    profit, cut = found["profit_per_1000"], found["threshold"]
    at = "" if cut is None else f" {cut:.3f}"
    return {
        "kind": _NAMES[name],
        "name": f"{_NAMES[name]}{at}: {profit['value']:,.0f} [{profit['low']:,.0f}, {profit['high']:,.0f}]",
        "threshold": cut,
        "profit": profit["value"],
        "low": profit["low"],
        "high": profit["high"],
    }


def _cash_flow(years: list[dict[str, Any]]) -> Any:
    import altair as alt

    x = alt.X("year:O", title="Year", axis=alt.Axis(labelAngle=0))
    data = alt.InlineData(values=[{**year, "bar": "net of the year", "line": "cumulative"} for year in years])
    scale = alt.Scale(domain=["net of the year", "cumulative"], range=[BLUE, ORANGE])
    axis = alt.Axis(format=",.0f")
    bars = alt.Chart(data).mark_bar(size=40).encode(
        x=x, y=alt.Y("net:Q", title="Money", axis=axis), color=alt.Color("bar:N", title="", scale=scale)
    )  # fmt: skip
    line = alt.Chart(data).mark_line(point={"size": 70, "filled": True}, strokeWidth=2.5).encode(
        x=x, y=alt.Y("cumulative:Q", title=""), color=alt.Color("line:N", title="", scale=scale)
    )  # fmt: skip
    zero = (
        alt.Chart(alt.InlineData(values=[{"zero": 0}]))
        .mark_rule(color="#333333")
        .encode(y=alt.Y("zero:Q", title=""))
    )
    title = chart_title("Cash flow, undiscounted; the build cost is in the first year")
    return alt.layer(bars, zero, line).properties(width=WIDTH, height=HEIGHT * 2 // 3, title=title)


def _tornado(tornado: list[dict[str, Any]], npv: float) -> Any:
    import altair as alt

    ends = [
        {"figure": _FIGURES.get(bar["figure"], bar["figure"]), "npv": bar[key], "middle": npv, "end": end}
        for bar in tornado
        for key, end in (("npv_at_low", "at its low end"), ("npv_at_high", "at its high end"))
    ]
    order = list(dict.fromkeys(end["figure"] for end in ends))
    colour = alt.Scale(domain=["at its low end", "at its high end"], range=[ORANGE, BLUE])
    x = alt.X("npv:Q", title="Net present value (money)", axis=alt.Axis(format=",.0f"))
    data = alt.InlineData(values=ends)
    bars = alt.Chart(data).mark_bar(size=22).encode(
        x=x,
        x2="middle:Q",
        y=alt.Y("figure:N", title="", sort=order),
        color=alt.Color("end:N", title="The figure", scale=colour),
    )  # fmt: skip
    rule = alt.Chart(alt.InlineData(values=[{"npv": npv}])).mark_rule(color="#333333").encode(x=x)
    title = chart_title("What matters most: net present value at both ends of each uncertain figure")
    return alt.layer(bars, rule).properties(width=WIDTH, height=44 * len(order) + 10, title=title)


def _learning(waiting: dict[str, Any]) -> Any:
    import altair as alt

    metric = waiting["metric"]
    points = [{**point[metric], "size": point["rows"]} for point in waiting["curve"]]
    x = alt.X("size:Q", title="Training rows", axis=alt.Axis(format=",.0f"))
    y = alt.Y("value:Q", title=f"{metric} on the test rows", scale=alt.Scale(zero=False))
    fitted = alt.Chart(alt.InlineData(values=points))
    layers: list[Any] = [
        fitted.mark_rule(color=BLUE, opacity=0.7).encode(x=x, y=alt.Y("low:Q", title=""), y2="high:Q"),
        fitted.mark_point(filled=True, size=70, color=BLUE, opacity=1).encode(x=x, y=y),
    ]
    if waiting["law"] is not None:
        law = [{"size": point["rows"], "value": point["value"]} for point in waiting["law"]["curve"]]
        line = alt.Chart(alt.InlineData(values=law)).mark_line(
            color=GREEN, strokeWidth=2.5, strokeDash=[5, 4]
        )
        layers.insert(0, line.encode(x=x, y=y))
    said = waiting["advice"] or {"sentence": waiting["refused"] and waiting["refused"]["what"]}
    title = chart_title("More rows: the learning curve and its power law (broken line)", said["sentence"])
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT * 3 // 4, title=title)
