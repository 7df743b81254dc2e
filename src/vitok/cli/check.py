"""`vitok check`: a review of the project before any work starts."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.errors import VitokError
from vitok.loop.review import error_problem, read_document, report, review_charter


def check(
    project: ProjectOption = HERE,
    with_data: Annotated[
        bool, typer.Option("--data/--no-data", help="Whether to read the data, or the charter alone.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Finds what would stop a turn or surprise you: mistakes, contradictions, leaks, keys without effect yet."""
    try:
        payload = _with_data(project) if with_data else report(review_charter(read_document(project)))
    except VitokError as error:
        payload = report([error_problem(error)])
    show(as_json, payload, render(payload))
    if not payload["ok"]:
        raise typer.Exit(2)


def _with_data(project: Path) -> dict[str, Any]:
    # Tables and database take longer to load than the review of a charter takes in all.
    from vitok.loop.check import check_project
    from vitok.wire import open_project

    return check_project(open_project(project, say=say))


def render(payload: dict[str, Any]) -> str:
    """The review for people."""
    lines = [f"{p['severity']}: {p['where']}: {p['what']}. {p['remedy']}" for p in payload["problems"]]
    errors = sum(p["severity"] == "error" for p in payload["problems"])
    lines.append("Nothing stops a turn." if payload["ok"] else f"{errors} error(s): a turn would stop.")
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok check --project flights")(check)
