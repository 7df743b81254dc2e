"""`vitok concept`: whether the model's errors changed, and when."""

from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.cli.period import FromOption, ToOption, period
from vitok.errors import UserMistake, did_you_mean, shortened
from vitok.loop.concept import AGAINST, DETECTORS, project_concept
from vitok.wire import open_project

_WORDS = {"accepted": "accepted", "previous": "the version before", "season": "the same season"}


def concept(
    start: FromOption = None,
    end: ToOption = None,
    detector: Annotated[
        list[str] | None,
        typer.Option("--detector", metavar="NAME", help=f"One of {', '.join(DETECTORS)}; may be repeated."),
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="WHAT",
            help=f"What {DETECTORS[0]} holds errors against: {', '.join(AGAINST)}.",
        ),
    ] = AGAINST[0],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Shows when detectors call the errors of the version in production changed, in the order in which labels came."""
    since, until = period(start, end)
    chosen = next((name for name in AGAINST if name == against), None)
    if chosen is None:
        hint = f"{did_you_mean(against, AGAINST)}Write one of {', '.join(AGAINST)}."
        raise UserMistake("--against", f"{shortened(against)} is nothing to compare with", hint)
    opened = open_project(project, say=say)
    payload = project_concept(opened, since, until, tuple(detector or DETECTORS), against=chosen)
    show(as_json, payload, render(payload))


def render(payload: dict[str, Any]) -> str:
    """What the detectors say, for people."""
    rows = [
        [
            name,
            found["changed"] or ("-" if "undecidable" in found else "no"),
            found.get("row"),
            found.get("undecidable", ""),
        ]
        for name, found in payload["detectors"].items()
    ]
    mean = "" if payload["errors"] is None else f", mean error {payload['errors']:.4g}"
    head = f"Version {payload['version']}: {payload['rows']} labelled rows{mean}"
    against = payload["against"]
    if against["error"] is not None:
        head += f"; {DETECTORS[0]} allows {against['error']:.4g} ({_WORDS[against['what']]})"
    return f"{head}\n{table(rows, ['detector', 'changed', 'row', 'remark'])}"


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok concept --detector e_detector")(concept)
