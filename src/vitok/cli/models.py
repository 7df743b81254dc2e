"""`vitok models`: every version with its verdict."""

import typer

from vitok.charter.review import main_metric
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.loop.card import list_versions
from vitok.wire import open_project


def models(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Lists all versions with verdict and state."""
    opened = open_project(project, say=say)
    found, metric = list_versions(opened), main_metric(opened.charter)
    rows = [
        [
            v["version"],
            v["verdict"],
            v["state"],
            v["algorithm"],
            v["metrics"].get(metric),
            v["created"][:16],
            v["digest"][:12],
        ]
        for v in found
    ]
    header = ["version", "verdict", "state", "algorithm", metric, "created", "digest"]
    show(
        as_json,
        {"versions": found},
        table(rows, header) if rows else "No version yet: make one with `vitok run`.",
    )


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok models --json")(models)
