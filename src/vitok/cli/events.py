"""`vitok events`: what others were told, or could not be."""

from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.govern.people import local_user
from vitok.loop.notify import list_events, retry_events
from vitok.wire import open_project


def events(
    dead: Annotated[bool, typer.Option("--dead", help="Only those that were given up.")] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Give those that were given up another chance.")
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Lists what the charter's `notify` told others, newest first, or could not tell them."""
    opened = open_project(project, say=say)
    if retry:
        count = retry_events(opened, actor=local_user())
        say(f"{count} events are tried again by `vitok up` or `vitok watch`.")
    payload = list_events(opened, dead=dead)
    rows = [
        [e["time"][:19], e["kind"], e["subject"], e["state"], e["attempts"], e["error"]]
        for e in payload["events"]
    ]
    header = ["time", "kind", "subject", "state", "attempts", "error"]
    show(as_json, payload, table(rows, header) if rows else "Nothing was to be told.")


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok events --dead --retry")(events)
