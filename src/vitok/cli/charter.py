"""`vitok charter`: the history of the charter, and its schema."""

import json
from typing import Annotated, Any

import typer
import yaml

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.export.schema import charter_schema
from vitok.loop.charters import charter_content, charter_diff, charter_log
from vitok.wire import open_project


def log(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Lists the charters that were in force, what each changed, and the verdicts given by it."""
    payload = charter_log(open_project(project, say=say))
    show(as_json, payload, render_log(payload))


def render_log(payload: dict[str, Any]) -> str:
    """The history for people."""
    if not payload["charters"]:
        return "No charter is recorded yet: a turn records it (`vitok run`)."
    rows = [
        [
            charter["number"],
            charter["since"][:16],
            charter["actor"],
            ", ".join(f"{each['version']} {each['verdict']}" for each in charter["verdicts"]) or "none",
            _sentences(charter["changes"]) if index else "the first",
        ]
        for index, charter in enumerate(payload["charters"])
    ]
    lines = [table(rows, ["charter", "since", "by", "versions", "what changed"])]
    if payload["pending"]:
        lines.append(f"Not in force until the next turn: {_sentences(payload['pending'])}")
    return "\n".join(lines)


def _sentences(changes: list[dict[str, str]]) -> str:
    return "; ".join(change["sentence"] for change in changes) or "nothing that matters"


def diff(
    old: Annotated[
        str | None, typer.Argument(metavar="[A]", help="Number, or `now`; default: the last recorded.")
    ] = None,
    new: Annotated[
        str | None, typer.Argument(metavar="[B]", help="Number; default: `now`, the file as it is.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Tells in words what changed between two charters."""
    payload = charter_diff(open_project(project, say=say), old, new)
    title = f"Charter {payload['old']} -> {payload['new']}:"
    lines = [f"  {change['sentence']}" for change in payload["changes"]]
    show(as_json, payload, "\n".join([title, *lines]) if lines else f"{title} no difference.")


def show_charter(
    number: Annotated[
        str | None, typer.Argument(metavar="[N]", help="Number, or `now`; default: the last recorded.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Prints a charter as it was recorded, as YAML."""
    payload = charter_content(open_project(project, say=say), number)
    since = "" if payload["since"] is None else f", in force since {payload['since']} by {payload['actor']}"
    text = yaml.safe_dump(_stated(payload["content"]), sort_keys=False, allow_unicode=True, width=110)
    if as_json:
        show(True, payload, "")
    else:
        typer.echo(f"# Charter {payload['number']}{since}\n{text}", nl=False)


def _stated(value: Any) -> Any:
    """A section without its empty keys; they say nothing, and the charter reads the same without them."""
    if not isinstance(value, dict):
        return value
    inner = {key: _stated(each) for key, each in value.items()}
    return {key: each for key, each in inner.items() if each not in (None, [], {})}


def schema(as_json: JsonOption = False) -> None:
    """Prints the JSON schema of `vitok.yaml`, for editors."""
    found = charter_schema()
    if as_json:
        show(True, json.loads(found), "")
    else:
        typer.echo(found, nl=False)


def register(app: typer.Typer) -> None:
    """Adds the verb with its four parts."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
    group.command("log", epilog="Example: vitok charter log")(log)
    group.command("diff", epilog="Example: vitok charter diff 1 2")(diff)
    group.command("show", epilog="Example: vitok charter show 1")(show_charter)
    group.command("schema", epilog="Example: vitok charter schema > vitok.schema.json")(schema)
    app.add_typer(
        group,
        name="charter",
        help="Shows the history of the charter, what changed in it, and its schema.",
        epilog="Example: vitok charter diff 1 2",
    )
