"""`vitok ab`: A/B tests, planned and read."""

from datetime import datetime
from typing import Annotated, Any

import typer

from vitok.cli.charts import PlotOption, require_plot, write_chart
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.journal.ledger import Ledger
from vitok.kernel.clock import parse_time
from vitok.loop.abread import read_ab
from vitok.loop.abtest import Asked, plan_ab
from vitok.loop.keep import collect
from vitok.report.release_chart import comparison_chart
from vitok.wire import open_project

_Text = str | None
_AXES = {
    "quality": "Right decisions (share)",
    "profit": "Money a decision",
    "conversion": "Positive outcomes (share)",
}
_WAYS = (
    ("horizon", "once, at the end", "horizon"),
    ("looks", "at 10 planned looks", "looks"),
    ("always", "at any time", "always"),
)


def plan(
    metric: Annotated[
        _Text,
        typer.Option(
            "--metric", metavar="NAME", help="quality, profit, or a rate of your own, such as conversion."
        ),
    ] = None,
    base: Annotated[
        _Text, typer.Option("--base", metavar="RATE", help="The champion's rate or mean: 3.2%.")
    ] = None,
    deviation: Annotated[
        _Text,
        typer.Option("--deviation", metavar="X", help="Standard deviation of a unit, if --base is no rate."),
    ] = None,
    effect: Annotated[
        _Text,
        typer.Option(
            "--effect", metavar="X", help="Smallest effect worth acting on: 0.5%, or 1.1x the base."
        ),
    ] = None,
    traffic: Annotated[
        _Text, typer.Option("--traffic", metavar="UNITS", help="Units a day, both arms.")
    ] = None,
    share: Annotated[_Text, typer.Option("--share", metavar="SHARE", help="Of the new version: 50%.")] = None,
    power: Annotated[
        _Text, typer.Option("--power", metavar="SHARE", help="Chance of finding the effect. Default: 80%.")
    ] = None,
    alpha: Annotated[
        _Text, typer.Option("--alpha", metavar="SHARE", help="Chance of seeing a difference where none is.")
    ] = None,
    delay: Annotated[
        _Text, typer.Option("--delay", metavar="DURATION", help="Until an outcome counts: 1d.")
    ] = None,
    horizon: Annotated[
        _Text, typer.Option("--horizon", metavar="DURATION", help="How long the test lasts: 14d.")
    ] = None,
    reading: Annotated[
        _Text, typer.Option("--reading", metavar="HOW", help="always, looks or horizon.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Says how many units and days an A/B test takes, what ends it early, and what the horizon allows to find.

    What is not given comes from `release.ab` in the charter, from its costs and label delay, and from the journal.
    """
    asked = Asked(metric, base, deviation, effect, traffic, share, power, alpha, delay, horizon, reading)
    payload = plan_ab(open_project(project, say=say), asked)
    show(as_json, payload, render_plan(payload))


def render_plan(payload: dict[str, Any]) -> str:
    """The plan in words."""
    primary, way = payload["primary"], payload["designs"]["chosen"]
    is_rate = primary["deviation"] is None
    base = (
        f"{primary['base']:.2%}"
        if is_rate
        else f"{primary['base']:.4g} (deviation {primary['deviation']:.4g})"
    )
    split = f"{1 - payload['share']:.0%} champion, {payload['share']:.0%} new version"
    lines = [
        f"Primary metric: {primary['name']}, the {primary['meaning']}.",
        f"The champion has {base} ({payload['sources']['base']}).",
        f"Worth acting on from {primary['effect_in_words']}, either way.",
        f"{payload['traffic']:,.0f} units a day ({payload['sources']['traffic']}), split {split}; "
        f"outcomes count after {payload['delay_days']:g} d.",
        "",
        _ways(payload),
        "",
        f"Units by which {payload['power']:.0%} of such tests have found the effect; where there is none, "
        f"{payload['alpha']:.0%} see one.",
    ]
    looked = payload["designs"]["always"]
    if payload["reading"] == "always":
        lines.append(
            f"Looking at any time takes {looked['inflation']:.2f} times the units of one test at the end, but ends at "
            f"the decision: on average after {looked['mean_units']:,} units ({looked['mean_days']:.1f} days), sooner "
            "for larger effects."
        )
    fits = "fits into" if payload["fits"] else "does NOT fit into"
    lines += [
        f"So: {way['champion']:,} + {way['challenger']:,} units, {way['days']:.1f} days; that {fits} the horizon of "
        f"{payload['horizon_days']:g} days.",
        "",
        "What ends it early:",
        *(f"  {_rule(rule)}" for rule in payload["stop_rules"]),
        _ending(payload),
        "",
        "Shown beside it, deciding nothing: "
        + (", ".join(f"{each['name']} ({each['meaning']})" for each in payload["secondary"]) or "nothing")
        + ".",
        *(f"Warning: {text}" for text in payload["warnings"]),
    ]
    return "\n".join(lines)


def _days(count: float) -> str:
    return "day" if count == 1 else f"{count:.3g} days"


def _ways(payload: dict[str, Any]) -> str:
    rows = []
    for key, name, reading in _WAYS:
        way = payload["designs"][key]
        rows.append(
            [
                f"{name} (chosen)" if reading == payload["reading"] else name,
                f"{way['champion']:,}",
                f"{way['challenger']:,}",
                f"{way['days']:.1f}",
                f"{way['inflation']:.2f}x",
                f"{way['mean_days']:.1f}",
            ]
        )
    header = ["looked at", "champion", "new version", "days", "units", "days on average"]
    return table(rows, header)


def _rule(rule: dict[str, Any]) -> str:
    part = "" if rule["alpha"] is None else f" (part of the false alarms: {rule['alpha']:.2%})"
    limit = f" {rule['limit']}" if rule["limit"] else ""
    return f"{rule['name']}{limit}: {rule['sentence']}{part}"


def _ending(payload: dict[str, Any]) -> str:
    name, is_known = payload["primary"]["name"], payload["primary"]["is_known"]
    if not is_known:
        return f"  {name}: decides where it is read."
    if payload["reading"] == "horizon":
        return f"  {name}: decides at the end of the horizon only."
    if payload["reading"] == "looks":
        return f"  {name}: decides at each tenth of the horizon, if it is better or worse for certain."
    return f"  {name}: promoted as soon as it is better for certain, taken back as soon as it is worse."


def read(
    number: Annotated[
        int | None, typer.Argument(metavar="[N]", help="Number of the roll-out; default: the last A/B test.")
    ] = None,
    plot: PlotOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Tells what an A/B test has shown: effect with its interval, decision, money, limits, and the split.

    The interval holds at all times at once: look as often as you like.
    """
    require_plot(plot)
    opened = open_project(project, say=say)
    collect(opened)
    payload = read_ab(opened, Ledger(opened.lake), number)
    if plot is not None:
        write_chart(chart(payload), plot)
    show(as_json, payload, render_read(payload))


def chart(payload: dict[str, Any]) -> dict[str, Any]:
    """The confidence sequence through time."""
    points = [
        (parse_time(point["time"]), point["value"], point["low"], point["high"])
        for point in payload["sequence"]
    ]
    new, old, name = payload["version"], payload["champion"], payload["primary"]["name"]
    what = _AXES[name]
    ends: datetime | None = parse_time(payload["ended"] or payload["ends"])
    return comparison_chart(
        f"A/B test: version {new} against version {old}",
        points=points,
        effect=payload["primary"]["effect"],
        what=f"{what}: version {new} less version {old}",
        below=payload["sentence"],
        ends=ends,
    )


def render_read(payload: dict[str, Any]) -> str:
    """The test so far, in words."""
    units = payload["units"]
    lines = [
        f"Roll-out {payload['rollout']}, version {payload['version']} against {payload['champion']}: "
        f"{payload['state']}, {payload['decision'].upper()}",
        payload["sentence"],
        f"{units['champion']:,} units of the champion and {units['challenger']:,} of the new version have outcomes.",
        _money(payload["money"]),
    ]
    if payload["split"] is not None:
        is_wrong = payload["split"]["state"] == "broken"
        lines.append(
            "Units are NOT split as planned: trust no figure." if is_wrong else "Units are split as planned."
        )
    lines += [f"  {guard['sentence']}" for guard in payload["guards"]]
    if payload["reason"]:
        lines.append(f"Last step: {payload['reason']}")
    return "\n".join(lines)


def _money(money: dict[str, Any] | None) -> str:
    if money is None:
        return "No money: decide.costs is not given, or no outcomes are due."
    each, year = money["per_decision"], money["per_year"]
    told = f"Money: {each['value']:+,.4g} a decision ({each['low']:+,.4g} to {each['high']:+,.4g})"
    if year is None:
        return f"{told}."
    return (
        f"{told}; at {money['decisions_per_year']:,.0f} decisions a year {year['value']:+,.0f} "
        f"({year['low']:+,.0f} to {year['high']:+,.0f}), if they come as in the last {_days(money['from_days'])}."
    )


def register(app: typer.Typer) -> None:
    """Adds the verb with its two parts."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
    group.command("plan", epilog="Example: vitok ab plan --base 3.2% --effect 0.5% --traffic 4000")(plan)
    group.command("read", epilog="Example: vitok ab read --plot ab.png")(read)
    app.add_typer(
        group,
        name="ab",
        help="Plans an A/B test, and reads it.",
        epilog="Example: vitok ab plan --base 3.2% --effect 0.5% --traffic 4000",
    )
