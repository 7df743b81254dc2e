"""`vitok models`: every version with its verdict."""

from typing import Any

import typer

from vitok.charter.review import main_metric
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.loop.card import list_versions
from vitok.wire import open_project


def models(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Lists all versions with verdict and state."""
    opened = open_project(project, say=say)
    found, metric = list_versions(opened), main_metric(opened.charter)
    show(as_json, {"versions": found}, render(found, metric))


def render(found: list[dict[str, Any]], metric: str) -> str:
    """The versions for people."""
    if not found:
        return "No version yet: make one with `vitok run`."
    rows = [
        [
            v["version"],
            v["verdict"] + ("*" if v["revised"] else ""),
            v["state"],
            v["algorithm"],
            v["metrics"].get(metric),
            v["created"][:16],
            v["digest"][:12],
            v["charter"],
        ]
        for v in found
    ]
    header = ["version", "verdict", "state", "algorithm", metric, "created", "digest", "charter"]
    starred = any(v["revised"] for v in found)
    note = "\n* by criteria that were revised after a result was seen: see `vitok card VERSION`"
    return table(rows, header) + (note if starred else "")


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok models --json")(models)
