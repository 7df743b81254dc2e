"""`vitok concept`: whether the model's errors changed, and when."""

from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.cli.period import FromOption, ToOption, period
from vitok.loop.concept import DETECTORS, project_concept
from vitok.wire import open_project


def concept(
    start: FromOption = None,
    end: ToOption = None,
    detector: Annotated[
        list[str] | None,
        typer.Option("--detector", metavar="NAME", help=f"One of {', '.join(DETECTORS)}; may be repeated."),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Shows when detectors call the errors of the version in production changed, in the order in which labels came."""
    since, until = period(start, end)
    payload = project_concept(open_project(project, say=say), since, until, tuple(detector or DETECTORS))
    show(as_json, payload, render(payload))


def render(payload: dict[str, Any]) -> str:
    """What the detectors say, for people."""
    rows = [
        [
            name,
            found["changed"] or ("-" if "undecidable" in found else "no"),
            found.get("row"),
            found.get("undecidable", ""),
        ]
        for name, found in payload["detectors"].items()
    ]
    mean = "" if payload["errors"] is None else f", mean error {payload['errors']:.4g}"
    head = f"Version {payload['version']}: {payload['rows']} labelled rows{mean}"
    return f"{head}\n{table(rows, ['detector', 'changed', 'row', 'remark'])}"


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok concept --detector e_detector")(concept)
