"""`vitok roi`: is it worth it."""

from typing import Annotated, Any

import typer

from vitok.cli.charts import PlotOption, require_plot, write_chart
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.loop.roi import project_roi
from vitok.report.charts import roi_chart
from vitok.wire import open_project


def roi(
    waiting: Annotated[
        bool,
        typer.Option("--waiting", help="Reckon the value of waiting for more rows too; fits five models."),
    ] = False,
    plot: PlotOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Reckons cash flow, payback, ROI, NPV and IRR from the charter's economics, and what decisions and errors earn.

    Ranges give the chance of a loss. Exit code 3 where `--waiting` finds a curve that cannot be extrapolated.
    """
    require_plot(plot)
    payload = project_roi(open_project(project, say=say), waiting=waiting)
    if plot is not None:
        write_chart(roi_chart(payload), plot)
    show(as_json, payload, render(payload))
    if waiting and payload["waiting"]["refused"] is not None:
        raise typer.Exit(3)


def render(payload: dict[str, Any]) -> str:
    """The appraisal for people."""
    rows = [[y["year"], f"{y['net']:+,.0f}", f"{y['cumulative']:+,.0f}"] for y in payload["years"]]
    payback = payload["payback_years"]
    lines = [
        table(rows, ["year", "net", "cumulative"]),
        "",
        "Payback: never at these yearly flows." if payback is None else f"Payback: {payback:.2f} years.",
        f"{_roi(payload['roi'])} NPV at {payload['discount']:.0%}: {payload['npv']:+,.0f}.",
    ]
    if payload["irr"] is not None:
        lines.append(f"IRR: {payload['irr']:.1%} a year.")
    lines += [
        *_range(payload["range"]),
        *_decisions(payload["decisions"]),
        *_waiting(payload.get("waiting")),
        f"Convention: {payload['convention']}.",
    ]
    return "\n".join(lines)


def _roi(roi: float | None) -> str:
    return "No ROI: nothing is spent." if roi is None else f"ROI over the horizon: {roi:.0%}."


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
    best = found["best_threshold"]
    lines = [
        "By decide.costs no threshold makes sense: a wrong decision earns as much as the right one."
        if best is None
        else f"By decide.costs a row is worth flagging from a probability of {best:.3f} on."
    ]
    profit = found.get("profit_per_1000")
    if profit is not None:
        lines.append(
            f"Version {found['version']} flags from {found['threshold']:.3f} on, and earned {profit['value']:,.0f} "
            f"({profit['low']:,.0f} to {profit['high']:,.0f}) per 1 000 decisions on its test rows."
        )
    if found.get("not_shown"):
        lines.append(f"No profit curve: {found['not_shown']}")
    return (
        [*lines, *_policies(found["policies"]), *_errors(found["errors"])] if found.get("policies") else lines
    )


_POLICIES = {
    "used": "threshold in use",
    "best": "best threshold on these rows",
    "elkan": "best threshold if calibrated",
    "flag_nobody": "flag nobody",
    "flag_everybody": "flag everybody",
    "perfect": "a perfect model",
}


def _policies(found: dict[str, Any]) -> list[str]:
    rows = []
    for name, policy in found.items():
        cut = policy["threshold"]
        rows.append(
            [
                _POLICIES[name],
                None if cut is None else f"{cut:.3f}",
                f"{policy['flagged_per_1000']:,.0f}",
                _range_of(policy["profit_per_1000"], ",.0f"),
            ]
        )
    return ["", table(rows, ["per 1 000 decisions", "threshold", "flagged", "profit (90 %)"])]


def _errors(found: dict[str, Any]) -> list[str]:
    def money(name: str) -> str:
        return _range_of(found[name], ",.0f")

    return [
        f"Errors cost {money('total')} per 1 000 decisions against a perfect model: false positives "
        f"{money('false_positives')}, false negatives {money('false_negatives')}.",
        f"The model earns {money('over_constant')} per 1 000 decisions more than to {found['best_constant']}.",
    ]


def _waiting(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    metric = found["metric"]
    curve = [[f"{point['rows']:,}", point[metric]["value"], point[metric]["low"], point[metric]["high"]]
             for point in found["curve"]]  # fmt: skip
    lines = ["", f"Learning curve of version {found['version']}'s algorithm, on the same test rows:"]
    lines.append(table(curve, ["training rows", metric, "low", "high"]))
    if found["refused"] is not None:
        return [*lines, f"No forecast: {found['refused']['what']}. {found['refused']['remedy']}", ""]
    rows = [
        [
            f"{wait['months']:g}",
            f"{wait['rows']:,.0f}" + (" (over 4x: a guess)" if wait["is_far"] else ""),
            _range_of(wait["gain"], ".4f"),
            _range_of(wait["worth"], ",.0f"),
            _range_of(wait["delay"], ",.0f"),
        ]
        for wait in found["months"]
    ]
    header = [
        "months",
        "training rows",
        f"gain of {metric}",
        "worth a year",
        "earned meanwhile by a version in use",
    ]
    lines += [
        f"At {found['rows_per_month']:,.0f} more training rows a month, waiting gives:",
        table(rows, header),
    ]
    return [*lines, found["advice"]["sentence"], ""]


def _range_of(figure: dict[str, float] | None, form: str) -> str:
    return (
        "-"
        if figure is None
        else f"{figure['value']:{form}} ({figure['low']:{form}} to {figure['high']:{form}})"
    )


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok roi --plot roi.html")(roi)
