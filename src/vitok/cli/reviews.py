"""`vitok reviews`: what waits for a person."""

from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.kernel.clock import parse_time
from vitok.loop.reviews import list_reviews
from vitok.wire import open_project


def reviews(
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only rows of events from then on.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many, at most.", min=1, max=100_000)] = 50,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Lists rows that were handed over to people and have no outcome yet, oldest first."""
    moment = None if since is None else parse_time(since, "--since")
    payload = list_reviews(open_project(project, say=say), since=moment, limit=limit)
    rows = [[r["time"][:19], r["id"], r["version"], r["score"], r["reason"]] for r in payload["reviews"]]
    more = payload["waiting"] - len(rows)
    text = (
        table(rows, ["time", "id", "version", "score", "reason"]) if rows else "Nothing waits for a person."
    )
    show(as_json, payload, text + (f"\n{more} more wait: see --limit." if more else ""))


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok reviews --limit 20")(reviews)
