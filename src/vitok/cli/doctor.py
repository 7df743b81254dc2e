"""`vitok doctor`: is everything sound, and putting right what is not."""

from pathlib import Path
from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.govern.people import local_user
from vitok.loop.doctor import examine
from vitok.wire import open_project


def doctor(
    mend: Annotated[
        bool, typer.Option("--mend", help="Put right what can be put right without losing anything.")
    ] = False,
    archive: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="An archive to take lost files from, before those in `.vitok/backups`.",
        ),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Tries each part of a project, and mends it if asked to. Exit code 1 if one is not sound."""
    payload = examine(open_project(project, say=say), mend=mend, given=archive or [], actor=local_user())
    lines = [f"MENDED  {sentence}" for sentence in payload["mended"]]
    lines += [
        f"{'ok ' if c['ok'] else 'BAD'}  {c['check']}: {c['detail']}"
        + (f". {c['remedy']}" if c["remedy"] else "")
        for c in payload["checks"]
    ]
    show(as_json, payload, "\n".join(lines))
    if not payload["ok"]:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok doctor --mend")(doctor)
