"""`vitok release`: an accepted version goes into production."""

from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, actor, say, show
from vitok.loop.release import release_json, release_version
from vitok.wire import open_project


def release(
    version: Annotated[int, typer.Argument(help="Number of an accepted version.")],
    strategy: Annotated[
        str | None, typer.Option(help="How; this version knows immediate. Default: the charter's.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Puts an accepted version into production. Exit code 3 if its verdict or a missing approval forbids it."""
    payload = release_json(
        release_version(open_project(project, say=say), version, strategy=strategy, actor=actor())
    )
    show(as_json, payload, describe(payload))


def describe(payload: dict[str, Any]) -> str:
    """A release for people."""
    how = f"{payload['strategy']}, release {payload['release']}, epoch {payload['epoch']}"
    return f"Version {payload['version']} answers all requests ({how})."


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok release 2")(release)
