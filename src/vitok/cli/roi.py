"""`vitok roi`: is it worth it."""

from typing import Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.loop.roi import project_roi
from vitok.wire import open_project


def roi(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Reckons cash flow, payback, ROI, NPV and IRR from the charter's economics; ranges give the chance of a loss."""
    payload = project_roi(open_project(project, say=say))
    show(as_json, payload, render(payload))


def render(payload: dict[str, Any]) -> str:
    """The appraisal for people."""
    rows = [[y["year"], f"{y['net']:+,.0f}", f"{y['cumulative']:+,.0f}"] for y in payload["years"]]
    payback = payload["payback_years"]
    lines = [
        table(rows, ["year", "net", "cumulative"]),
        "",
        "Payback: never at these yearly flows." if payback is None else f"Payback: {payback:.2f} years.",
        f"ROI over the horizon: {payload['roi']:.0%}. NPV at {payload['discount']:.0%}: {payload['npv']:+,.0f}.",
    ]
    if payload["irr"] is not None:
        lines.append(f"IRR: {payload['irr']:.1%} a year.")
    lines += [
        *_range(payload["range"]),
        *_decisions(payload["decisions"]),
        f"Convention: {payload['convention']}.",
    ]
    return "\n".join(lines)


def _range(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    lines = [
        f"With the stated ranges the NPV lies between {found['npv_low']:+,.0f} and {found['npv_high']:+,.0f} "
        f"in 90 of 100 cases; the chance of a loss is {found['chance_of_loss']:.1%}.",
        "What matters most (NPV at the low and at the high end of each range):",
    ]
    return lines + [
        f"  {bar['figure']:10} {bar['npv_at_low']:+12,.0f} .. {bar['npv_at_high']:+,.0f}"
        for bar in found["tornado"]
    ]


def _decisions(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    lines = [
        f"By decide.costs a row is worth flagging from a probability of {found['best_threshold']:.3f} on."
    ]
    profit = found.get("profit_per_1000")
    if profit is not None:
        lines.append(
            f"Version {found['version']} flags from {found['threshold']:.3f} on, and earned {profit['value']:,.0f} "
            f"({profit['low']:,.0f} to {profit['high']:,.0f}) per 1 000 decisions on its test rows."
        )
    return lines


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok roi --json")(roi)
