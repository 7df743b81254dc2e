"""Policies of a replay as a picture: quality through time, money as it adds up, and what it took."""

from typing import Any

from vitok.report.chart_style import HEIGHT, WIDTH, chart_title, finished, series_encodings

_SHOWN = {"promoted": "promoted", "refused": "refused", "rolled back": "rolled back", "failed": "failed"}


def replay_chart(payload: dict[str, Any]) -> dict[str, Any]:
    """Quality by period, money week by week, and turns beside time at risk, a colour for each policy.

    Args:
        payload: What `vitok replay --json` prints.
    """
    import altair as alt

    names = [policy["name"] for policy in payload["policies"]]
    legend = alt.Legend(title=None, orient="top", labelLimit=400)
    panels = [_quality(payload, names, legend), _money(payload, names), _effort(payload, names)]
    advice = payload["advice"]
    below = "" if advice is None else advice["sentence"]
    page = alt.vconcat(*panels, spacing=30).resolve_scale(color="independent", strokeDash="independent")
    return finished(
        page.properties(title=chart_title("Retraining policies over the same history", below, 16))
    )


def _quality(payload: dict[str, Any], names: list[str], legend: Any) -> Any:
    import altair as alt

    metric = payload["metric"]
    rows = [
        {"time": window["start"], "name": policy["name"], **_interval(window["metrics"][metric])}
        for policy in payload["policies"]
        for window in policy["windows"]
        if metric in window["metrics"]
    ]
    time = alt.X("time:T", title=None)
    y = alt.Y("value:Q", title=metric, scale=alt.Scale(zero=False))
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=time, **series_encodings(names, legend))
    band = base.mark_rule(opacity=0.35).encode(y=alt.Y("low:Q", title=metric), y2="high:Q")
    events = [
        {"time": event["time"], "name": policy["name"], "event": _SHOWN[event["event"]]}
        for policy in payload["policies"]
        for event in policy["events"]
        if event["event"] in _SHOWN
    ]
    marks = (
        alt.Chart(alt.InlineData(values=events))
        .mark_tick(thickness=2, size=12)
        .encode(
            x=time, y=alt.value(HEIGHT - 6), **series_encodings(names, None), tooltip=["event:N", "name:N"]
        )
    )
    layers = [base.mark_line(point=True).encode(y=y), band, *([marks] if events else [])]
    below = "Each period with its 90 % interval; ticks at the bottom are ends of turns and of roll-outs."
    return alt.layer(*layers).properties(
        width=WIDTH, height=HEIGHT, title=chart_title(f"{metric} of what was answered", below)
    )


def _interval(found: dict[str, Any]) -> dict[str, float]:
    return {name: found[name] for name in ("value", "low", "high")}


def _money(payload: dict[str, Any], names: list[str]) -> Any:
    import altair as alt

    is_money = all(policy["value"] is not None for policy in payload["policies"])
    rows = []
    for policy in payload["policies"]:
        total = 0.0
        for week, value in sorted(policy["weeks"].items()):
            total = total + value if is_money else value
            rows.append({"time": week, "name": policy["name"], "value": total})
    title = "Money so far" if is_money else f"{payload['metric']} by week"
    return (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line()
        .encode(
            x=alt.X("time:T", title=None),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=is_money)),
            **series_encodings(names, None),
        )
        .properties(width=WIDTH, height=HEIGHT, title=chart_title(title))
    )


def _effort(payload: dict[str, Any], names: list[str]) -> Any:
    import altair as alt

    rows = []
    for policy in payload["policies"]:
        for label, value, text in (
            ("turns", policy["turns"], f"{policy['turns']}"),
            ("alerts", policy["alerts"], f"{policy['alerts']}"),
            ("time at risk, %", _percent(policy["at_risk"]), "not judged"),
        ):
            shown = text if value is None or label != "time at risk, %" else f"{value:.0f}"
            rows.append({"name": policy["name"], "what": label, "value": value or 0, "text": shown})
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("name:N", title=None, sort=names, axis=alt.Axis(labelLimit=260)),
        x=alt.X("value:Q", title=None),
    )
    bars = base.mark_bar(height=14).encode(**series_encodings(names, None))
    texts = base.mark_text(align="left", dx=4).encode(text="text:N")
    return (
        alt.layer(bars, texts)
        .properties(width=WIDTH / 3 - 30, height=26 * len(names))
        .facet(column=alt.Column("what:N", title=None, sort=None))
        .resolve_scale(x="independent")
        .properties(title=chart_title("What it took"))
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
