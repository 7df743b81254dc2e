"""`vitok check`: a review of the project before any work starts."""

from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.errors import VitokError
from vitok.loop.check import check_project, error_problem, report
from vitok.wire import open_project


def check(
    project: ProjectOption = HERE,
    with_data: Annotated[
        bool, typer.Option("--data/--no-data", help="Whether to read the data, or the charter alone.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Finds what would stop a turn or surprise you: mistakes, contradictions, leaks, keys without effect yet."""
    try:
        payload = check_project(open_project(project, say=say), with_data=with_data)
    except VitokError as error:
        payload = report([error_problem(error)])
    show(as_json, payload, render(payload))
    if not payload["ok"]:
        raise typer.Exit(2)


def render(payload: dict[str, Any]) -> str:
    """The review for people."""
    lines = [f"{p['severity']}: {p['where']}: {p['what']}. {p['remedy']}" for p in payload["problems"]]
    errors = sum(p["severity"] == "error" for p in payload["problems"])
    lines.append("Nothing stops a turn." if payload["ok"] else f"{errors} error(s): a turn would stop.")
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok check --project flights")(check)
