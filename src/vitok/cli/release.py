"""`vitok release`: an accepted version goes into production."""

from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.govern.people import local_user
from vitok.loop.released import STRATEGIES, release_as_asked
from vitok.wire import open_project


def release(
    version: Annotated[int, typer.Argument(help="Number of an accepted version.")],
    strategy: Annotated[
        str | None, typer.Option(help=f"How: {', '.join(STRATEGIES)}. Default: the charter's.")
    ] = None,
    flag: Annotated[str | None, typer.Option(help="The segment, with the strategy flag.")] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Brings an accepted version into production. Exit code 3 if its verdict or a missing approval forbids it."""
    opened = open_project(project, say=say)
    found = release_as_asked(opened, version, strategy=strategy, flag=flag, actor=local_user())
    show(as_json, found, describe(found))


def describe(payload: dict[str, Any]) -> str:
    """A release for people."""
    named = "by the plan of the workers" if payload["release"] is None else f"release {payload['release']}"
    how = f"{payload['strategy']}, {named}, epoch {payload['epoch']}"
    number = payload["rollout"]
    if number is None:
        return f"Version {payload['version']} answers all requests ({how})."
    if payload["state"] in ("aborted", "rolled back", "inconclusive"):
        over = f"The roll-out {number} of version {payload['candidate']} is over ({payload['state']})"
        return f"{over}: version {payload['version']} answers all requests ({how})."
    share = f"answers {payload['share']:.0%} of the units"
    does = "mirrors all requests" if payload["state"] == "shadow" else share
    return f"Version {payload['version']} {does}: roll-out {number}, {payload['state']} ({how})."


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok release 2 --strategy canary")(release)
