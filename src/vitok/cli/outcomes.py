"""`vitok outcomes`: labels that have come."""

from pathlib import Path
from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.govern.people import local_user
from vitok.loop.outcomes import take_outcomes
from vitok.wire import open_project


def outcomes(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Table with the id and the target (or `value`) of each row."),
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Override outcomes that were reported before.")
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Joins outcomes to predictions by id."""
    payload = take_outcomes(open_project(project, say=say), file, replace=replace, actor=local_user())
    lines = [
        f"{payload['matched']} matched, {payload['unmatched']} unmatched, "
        f"{payload['duplicates']} duplicates, {payload['conflicts']} conflicts"
    ]
    if payload["unmatched"]:
        lines.append(
            f"unmatched (kept; they join when the prediction arrives): {', '.join(payload['unmatched_ids'])}"
        )
    if payload["conflicts"]:
        lines.append(
            "conflicts (the first value stands; --replace overrides it): "
            f"{', '.join(payload['conflict_ids'])}"
        )
    show(as_json, payload, "\n".join(lines))


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok outcomes landed.csv")(outcomes)
