"""`vitok log`: what people report about their work."""

from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.govern.people import local_user
from vitok.kernel.clock import parse_time
from vitok.loop.effort import log_effort
from vitok.wire import open_project


def effort(
    hours: Annotated[float, typer.Option("--hours", help="Person-hours that were spent.")],
    experiment: Annotated[
        str | None,
        typer.Option("--experiment", metavar="ID", help="Experiment of the charter that they went to."),
    ] = None,
    note: Annotated[str, typer.Option("--note", help="What was done.")] = "",
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When. Default: now.")] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Writes person-hours down; `vitok effort` sets them against what the verdicts gained."""
    moment = None if at is None else parse_time(at, "--at")
    opened = open_project(project, say=say)
    payload = log_effort(opened, hours, experiment=experiment, note=note, at=moment, actor=local_user())
    spent = f" on {experiment}" if experiment else ""
    show(
        as_json,
        payload,
        f"{payload['hours']:g} hours{spent} at {payload['time'][:16]}; {payload['total_hours']:g} in all.",
    )


def register(app: typer.Typer) -> None:
    """Adds the verb with its subjects."""
    log = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
    log.command(
        "effort", epilog='Example: vitok log effort --hours 6 --experiment E1 --note "tried wind features"'
    )(effort)
    # Without a callback an application of one command would be that command, and `log effort` would not parse.
    log.callback()(_log)
    app.add_typer(log, name="log", epilog="Example: vitok log effort --hours 6")


def _log() -> None:
    """Writes down what people report: the hours that they spent."""
