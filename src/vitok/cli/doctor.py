"""`vitok doctor`: is everything sound."""

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.loop.status import examine
from vitok.wire import open_project


def doctor(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Tries each part of a project: database, audit log, lake, journal, champion's bytes, plan, disk."""
    payload = examine(open_project(project, say=say))
    lines = [
        f"{'ok ' if c['ok'] else 'BAD'}  {c['check']}: {c['detail']}"
        + (f". {c['remedy']}" if c["remedy"] else "")
        for c in payload["checks"]
    ]
    show(as_json, payload, "\n".join(lines))
    if not payload["ok"]:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok doctor --project flights")(doctor)
