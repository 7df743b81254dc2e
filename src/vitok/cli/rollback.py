"""`vitok rollback`: back to the version before."""

from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.cli.release import describe
from vitok.govern.people import local_user
from vitok.kernel.clock import system_clock
from vitok.loop.rollback import roll_back
from vitok.wire import open_project


def rollback(
    version: Annotated[
        int | None,
        typer.Argument(
            help="The version that is to answer no longer. Default: the one that is rolled out, else the champion."
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "by hand",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Ends the roll-out of a version, or goes back from it to the version before; done again it changes nothing.

    It works without the database and with a broken charter too: then the plan that the workers follow is changed, and
    the record is made when both are back.
    """
    payload = roll_back(
        lambda: open_project(project, say=say),
        project.resolve(),
        system_clock,
        actor=local_user(),
        reason=reason,
        away=version,
    )
    show(as_json, payload, "\n".join(filter(None, (payload["note"], describe(payload)))))


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog='Example: vitok rollback --reason "complaints from gate staff"')(rollback)
