"""`vitok init`: a first look at a table, and a drafted project."""

from pathlib import Path
from typing import Annotated

import typer

from vitok.cli.output import JsonOption, show
from vitok.errors import UserMistake
from vitok.kernel.clock import parse_duration
from vitok.loop.draft import Wishes, init_project
from vitok.stats.catalogue import TaskKind

TASKS: dict[str, TaskKind] = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the new project.")],
    data: Annotated[Path, typer.Option(help="CSV, Parquet or JSON-lines file with the rows.")],
    target: Annotated[str, typer.Option(help="Column to predict.")],
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
    as_json: JsonOption = False,
) -> None:
    """Looks at a table and drafts a project that `vitok run` accepts."""
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
    )
    result = init_project(folder, data, wishes)
    lines = [
        f"{result['folder']}: project {result['project']!r}, a {result['task']} task "
        f"on {target!r}, {result['rows']} rows"
    ]
    lines += [f"  note: {warning}" for warning in result["warnings"]]
    lines += [
        f"Next: look at {folder / 'vitok.yaml'}, then vitok check --project "
        f"{folder}, vitok run --project {folder}"
    ]
    show(as_json, result, "\n".join(lines))


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(
        epilog="Example: vitok init flights --data flights.parquet --target late "
        "--time departure --label-delay 4h"
    )(init)
