"""`vitok effort`: what the effort has brought, and whether to go on."""

from typing import Annotated, Any

import typer

from vitok.cli.charts import PlotOption, require_plot, write_chart
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.loop.effort import effort_curve
from vitok.report.charts import effort_chart
from vitok.wire import open_project


def effort(
    metric: Annotated[
        str | None,
        typer.Option("--metric", metavar="NAME", help="Metric of the task. Default: the main one."),
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="Each verdict's own value, not the best so far; shows a fall.")
    ] = False,
    plot: PlotOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Sets verdicts against hours spent, and says whether to go on, stop, or change the approach, and how sure that is.

    Exit code 3 where the points are too few to say.
    """
    require_plot(plot)
    payload = effort_curve(open_project(project, say=say), metric=metric, each=each)
    if plot is not None:
        write_chart(effort_chart(payload), plot)
    show(as_json, payload, render(payload))
    if payload["refused"] is not None:
        raise typer.Exit(3)


def render(payload: dict[str, Any]) -> str:
    """The curve for people."""
    unit = "hours" if payload["unit"] == "hours" else "money"
    rows = [
        [
            point["time"][:16],
            f"{point['version']} {point['verdict']}",
            _amount(point["hours"]),
            _amount(point["compute_hours"]),
            _amount(point["effort"]),
            f"{point['value']:.5g} [{point['low']:.5g}, {point['high']:.5g}]",
            f"{point['best']:.5g}",
        ]
        for point in payload["points"]
    ]
    header = [
        "verdict at",
        "version",
        "person-hours",
        "compute hours",
        f"effort ({unit})",
        payload["metric"],
        "best",
    ]
    lines = [table(rows, header), ""]
    if payload["refused"] is not None:
        return "\n".join([*lines, f"The effort {payload['refused']['what']}. {payload['refused']['remedy']}"])
    shapes = [
        [shape["shape"], f"{shape['weight']:.3f}", shape["meaning"]]
        for shape in payload["shapes"]
        if shape["aicc"] is not None
    ]
    left_out = [shape["shape"] for shape in payload["shapes"] if shape["aicc"] is None]
    lines.append(table(shapes, ["shape", "weight", "meaning"]))
    if left_out:
        lines.append(f"Too few points to judge: {', '.join(left_out)}.")
    return "\n".join([*lines, "", payload["advice"]["sentence"]])


def _amount(figure: float) -> str:
    return f"{figure:,.1f}" if figure >= 10 or figure == 0 else f"{figure:.3f}"


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok effort --plot effort.png")(effort)
