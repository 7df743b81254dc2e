"""`vitok backup`, `restore`: one archive of a project, and a project from it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.govern.people import local_user
from vitok.loop.backup import back_up
from vitok.loop.restore import restore as put_in_place
from vitok.wire import Settings, open_project


def backup(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where it is written. Default: `.vitok/backups`."
        ),
    ] = None,
    logs: Annotated[bool, typer.Option("--logs", help="With the logs of turns.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Writes one archive of a project, also while it is served: all but its data sources and its secrets."""
    payload = back_up(open_project(project, say=say), output, logs=logs)
    lines = [
        f"{payload['file']}: {payload['members']} files, {payload['bytes'] / 1e6:.1f} MB, "
        f"sha256 {payload['digest']}",
        f"Not in it: secrets, and the sources {', '.join(payload['sources'])}.",
    ]
    lines += [] if payload["lake"] == "inside" else [f"The lake is {payload['lake']}; back it up there."]
    show(as_json, payload, "\n".join(lines))


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An archive of `vitok backup`.")],
    project: Annotated[
        Path,
        typer.Option("--project", help="A new folder; for an archive from before a release, the project."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Makes a project from an archive, after verifying every byte: all of it, or nothing."""
    settings = Settings()
    payload = put_in_place(
        file,
        project,
        lambda folder: open_project(folder, say=say),
        database=settings.database_url,
        lake=settings.lake_url,
        actor=local_user(),
    )
    show(as_json, payload, _text(payload))


def _text(payload: dict[str, Any]) -> str:
    version = payload["version"]
    answers = "nothing was released in it yet" if version is None else f"version {version} answers"
    lines = [f"{payload['project']}: as it was at {payload['created']}; {answers}. Next: vitok doctor"]
    if "replaced" in payload:
        lines.append(f"What was there before is in {payload['replaced']}; the charter stayed as it is.")
    else:
        lines.append(f"Bring the sources for new turns: {', '.join(payload['sources'])}.")
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command(epilog="Example: vitok backup -o /srv/backups/flights.vitok.tar.gz")(backup)
    app.command(epilog="Example: vitok restore flights.vitok.tar.gz --project flights-again")(restore)
