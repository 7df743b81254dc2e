"""`vitok rollback`: back to the version before."""

from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, actor, say, show
from vitok.cli.release import describe
from vitok.loop.release import release_json
from vitok.loop.release import rollback as go_back
from vitok.wire import open_project


def rollback(
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "by hand",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Goes back to the version that was in production before this one."""
    payload = release_json(go_back(open_project(project, say=say), actor=actor(), reason=reason))
    show(as_json, payload, describe(payload))


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog='Example: vitok rollback --reason "complaints from gate staff"')(rollback)
