"""`vitok releases`: what was in production, and when."""

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.loop.release import release_json
from vitok.registry.releases import all_releases
from vitok.wire import open_project


def releases(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Lists all releases with their state and evidence."""
    opened = open_project(project, say=say)
    with opened.engine.connect() as connection:
        found = [release_json(release) for release in all_releases(connection)]
    rows = [[r["epoch"], r["version"], r["strategy"], r["state"], r["created"], r["actor"]] for r in found]
    text = (
        table(rows, ["epoch", "version", "strategy", "state", "created", "by"])
        if rows
        else "Nothing has been released yet."
    )
    show(as_json, {"releases": found}, text)


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok releases --json")(releases)
