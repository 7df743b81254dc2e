"""`vitok importance`: which inputs the model leans on, and whether that lasts."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.kernel.clock import parse_time
from vitok.loop.importance import project_importance
from vitok.wire import open_project

_DEFAULT = timedelta(days=30)


def importance(
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Start of the period. Default: 30 days before its end."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="End of the period. Default: now.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Shows what the main metric loses without each input: when the version was trained, and on labelled rows now."""
    opened = open_project(project, say=say)
    until = opened.clock() if end is None else parse_time(end, "--to")
    since = until - _DEFAULT if start is None else parse_time(start, "--from")
    payload = project_importance(opened, since, until)
    show(as_json, payload, render(payload))


def render(payload: dict[str, Any]) -> str:
    """The importance for people."""
    rows = [
        [name, *(_told(found[when]) for when in ("then", "now"))] for name, found in payload["inputs"].items()
    ]
    head = f"Version {payload['version']}: loss of {payload['metric']} without each input"
    few = (
        ""
        if payload["now_known"]
        else f"\n{payload['rows']} labelled rows in the period are too few to tell it now."
    )
    return f"{head}\n{table(rows, ['input', 'at training', 'now'])}{few}"


def _told(found: dict[str, float] | None) -> str | None:
    return None if found is None else f"{found['drop']:.4f} ± {found['deviation']:.4f}"


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok importance --from 2013-06-01 --to 2013-07-01")(importance)
