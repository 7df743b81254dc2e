"""`vitok card`: what a version is, in its short form."""

import json
from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say
from vitok.errors import UserMistake
from vitok.loop.card import version_card
from vitok.report.card import card_html, card_markdown
from vitok.wire import open_project


def card(
    version: Annotated[int, typer.Argument(help="Number of a version.")],
    form: Annotated[str, typer.Option("--format", help="md, html or json.")] = "md",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Prints a version's card: task, data, gates with reasons, figures with intervals, inputs."""
    if form not in ("md", "html", "json"):
        raise UserMistake("--format", f"{form!r} is unknown", "Write md, html or json.")
    form = "json" if as_json else form
    content = version_card(open_project(project, say=say), version)
    if form == "json":
        typer.echo(json.dumps(content, ensure_ascii=False, default=str))
    else:
        typer.echo(card_html(content) if form == "html" else card_markdown(content))


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok card 1 --format html > card.html")(card)
