"""`vitok init`: a first look at a table, and a drafted project."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.charter.templates import TEMPLATES
from vitok.cli.output import JsonOption, show
from vitok.errors import UserMistake
from vitok.kernel.clock import parse_duration, system_clock
from vitok.loop.draft import init_project
from vitok.loop.firstlook import Wishes
from vitok.stats.catalogue import TaskKind

TASKS: dict[str, TaskKind] = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the new project.")],
    data: Annotated[Path, typer.Option(help="CSV, Parquet or JSON-lines file with the rows.")],
    target: Annotated[str, typer.Option(help="Column to predict; asked for if left out.")] = "",
    time: Annotated[str | None, typer.Option(help="Column with the moment of the decision.")] = None,
    id: Annotated[str | None, typer.Option(help="Column that identifies a row.")] = None,  # noqa: A002
    entity: Annotated[str | None, typer.Option(help="Column of the unit that rows belong to.")] = None,
    task: Annotated[
        str | None, typer.Option(help="binary, multiclass or regression; default: by looking.")
    ] = None,
    label_delay: Annotated[
        str | None, typer.Option(help="How long after the decision the label is known, such as 4h.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Column that is no feature; repeat for more.")
    ] = None,
    template: Annotated[
        str | None, typer.Option(help=f"Kind of project to start from: {', '.join(TEMPLATES)}.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, take every default.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Looks at a table and drafts a project that `vitok run` accepts; on a terminal it asks what it cannot see."""
    if task is not None and task not in TASKS:
        raise UserMistake("--task", f"{task!r} is no kind of task", f"Known: {', '.join(TASKS)}.")
    wishes = Wishes(
        target=target,
        time=time,
        id=id,
        entity=entity,
        task=None if task is None else TASKS[task],
        label_delay=None if label_delay is None else parse_duration(label_delay, "--label-delay"),
        exclude=tuple(exclude or ()),
        template=template,
    )
    is_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    asks = is_terminal and not yes and not as_json
    result = init_project(folder, data, wishes, now=system_clock(), ask=_ask if asks else None)
    show(as_json, result, render(result))


def _ask(text: str, default: str, read: Callable[[str], Any]) -> Any:
    """Asks on the terminal until the answer can be read."""
    while True:
        try:
            answer = typer.prompt(text, default, show_default=bool(default), prompt_suffix=" ", err=True)
        except typer.Abort as error:
            raise KeyboardInterrupt from error
        try:
            return read(str(answer))
        except UserMistake as mistake:
            typer.echo(f"  {mistake.what}. {mistake.remedy}", err=True)


def render(result: dict[str, Any]) -> str:
    """What was found, for people."""
    folder = Path(result["folder"])
    lines = [
        f"{folder}: project {result['project']!r}, a {result['task']} task "
        f"on {result['target']!r}, {result['rows']} rows"
    ]
    lines += [f"  {role.replace('_', ' ')}: {name}" for role, name in result["roles"].items() if name]
    lines += [f"  gate: {gate}" for gate in result["gates"]]
    lines += [f"  note: {warning}" for warning in result["warnings"]]
    lines += [
        f"Next: look at {folder / 'vitok.yaml'}, then vitok check --project "
        f"{folder}, vitok run --project {folder}"
    ]
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(
        epilog="Example: vitok init flights --data flights.parquet --target late "
        "--time departure --label-delay 4h"
    )(init)
