"""`vitok earned`: what the project has earned so far."""

from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.cli.period import FromOption, ToOption, period
from vitok.loop.earned import project_earned
from vitok.wire import open_project


def earned(
    by: Annotated[str, typer.Option("--by", metavar="PERIOD", help="day, week or month.")] = "month",
    start: FromOption = None,
    end: ToOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Shows money and the KPI by period from the outcomes that came, ROI so far, and whether advice is followed."""
    since, until = period(start, end)
    payload = project_earned(
        open_project(project, say=say),
        by=by,  # type: ignore[arg-type]
        start=since,
        end=until,
    )
    show(as_json, payload, render(payload))


def render(payload: dict[str, Any]) -> str:
    """The earnings for people."""
    if not payload["periods"]:
        return "No label has come yet, so nothing can be counted."
    kpi = payload["kpi"]
    name = "kpi" if kpi is None or kpi["metric"] is None else kpi["metric"]
    rows = [
        [
            period["start"][:10],
            period["rows"],
            _money(period["earned"]),
            _money(period["over_nobody"]),
            None if period["kpi"] is None else period["kpi"]["value"],
        ]
        for period in payload["periods"]
    ]
    lines = [table(rows, ["from", "labels", "earned", "over flagging nobody", name])]
    told = [*_total(payload), *_held_out(payload["against_holdout"]), *_incremental(payload)]
    return "\n".join([*lines, *told, *_advice(payload["advice"])])


def _held_out(found: dict[str, Any] | None) -> list[str]:
    """What the model earned beyond units that got no answer of it."""
    if found is None:
        return []
    held = found["held"]
    if found["total"] is None:
        return [f"Over the units held out: not told, {found['why']}."]
    total, rate, cost = found["total"], found["per_1000"], found["forgone"]
    return [
        f"Over the units held out: {_money(total['value'])} ({_money(total['low'])} to {_money(total['high'])}) "
        f"on {found['rows']} labelled rows, "
        f"{rate['value']:+,.1f} per 1 000 ({rate['low']:+,.1f} to {rate['high']:+,.1f}). "
        f"{found['units']} units, {held['units']} of them held out. Holding out {held['rows']} rows cost about "
        f"{_money(cost['value'])} ({_money(cost['low'])} to {_money(cost['high'])})."
    ]


def _total(payload: dict[str, Any]) -> list[str]:
    total, plan = payload["total"], payload["plan"]
    if total is None:
        return ["Money is not counted: state decide.costs."]
    lines = [
        f"Over flagging nobody: {_money(total['over_nobody'])}{_between(total)} on {total['rows']} labelled rows."
    ]
    if plan is not None:
        roi = plan["roi"]
        against = " (over the units held out)" if plan["roi_against"] == "holdout" else ""
        wanted = (
            ""
            if plan["planned_benefit"] is None
            else f" The plan was {_money(plan['planned_benefit'])} by now."
        )
        so_far = (
            ""
            if roi["value"] is None
            else f" ROI so far{against} {roi['value']:.0%}"
            + ("." if roi["low"] is None else f" ({roi['low']:.0%} to {roi['high']:.0%}).")
        )
        lines.append(f"Cost until now {_money(plan['cost'])}.{wanted}{so_far}")
    return lines


def _incremental(payload: dict[str, Any]) -> list[str]:
    """What new versions earned beyond the champion of the time."""
    lines = []
    for found in payload["against_champion"]:
        total, rate = found["total"], found["per_1000"]
        lines.append(
            f"Version {found['version']} over version {found['champion']}, while both shared the traffic: "
            f"{_money(total['value'])} ({_money(total['low'])} to {_money(total['high'])}) on {found['rows']} labelled "
            f"rows, {rate['value']:+,.1f} per 1 000 ({rate['low']:+,.1f} to {rate['high']:+,.1f})."
        )
    return lines


def _between(total: dict[str, Any]) -> str:
    if total["low"] is None:
        return ", of fewer days than an interval needs,"
    return f" ({_money(total['low'])} to {_money(total['high'])}, however often one looks)"


def _advice(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    share = found["followed"]
    lines = [
        f"Advice followed: {share['value']:.0%} ({share['low']:.0%} to {share['high']:.0%}) of {found['told']} flagged "
        "rows of which somebody says."
    ]
    if found["feeds_back"]:
        apart = found["difference"]
        lines.append(
            f"Warning: where advice was followed {found['positive_followed']['value']:.0%} were positive, where it was "
            f"ignored {found['positive_ignored']['value']:.0%} "
            f"(difference {apart['low']:+.0%} to {apart['high']:+.0%}). "
            "The advice changes what happens: labels of followed rows tell of its effect. Keep rows without advice "
            "aside for training and judging."
        )
    return lines


def _money(value: float | None) -> str | None:
    return None if value is None else f"{value:,.0f}"


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok earned --by week")(earned)
