"""`vitok export`: what others can read."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from vitok.charter.model import Charter
from vitok.cli.output import HERE, JsonOption, ProjectOption, show
from vitok.errors import UserMistake, did_you_mean
from vitok.export.grafana import grafana_dashboard
from vitok.export.prometheus import prometheus_rules
from vitok.export.schema import charter_schema
from vitok.loop.review import read_document
from vitok.report.charter_reference import charter_reference
from vitok.store.blobs import write_atomically

KINDS: dict[str, Callable[[], str]] = {"schema": charter_schema, "charter-reference": charter_reference}
OF_PROJECT: dict[str, Callable[[Charter], str]] = {
    "prometheus": prometheus_rules,
    "grafana": grafana_dashboard,
}


def export(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="schema: JSON schema of vitok.yaml, for editors; charter-reference: every key as Markdown; "
            "prometheus: alert rules; grafana: a dashboard.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to write. Default: stdout.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Writes the charter's JSON schema or reference, or alert rules and a dashboard for the project."""
    known = [*KINDS, *OF_PROJECT]
    if kind not in known:
        remedy = f"{did_you_mean(kind, known)}Known: {', '.join(known)}."
        raise UserMistake("KIND", f"{kind!r} cannot be exported", remedy)
    text = KINDS[kind]() if kind in KINDS else OF_PROJECT[kind](read_document(project.resolve()).charter)
    if output is None:
        if as_json:
            show(True, {"kind": kind, "text": text}, "")
        else:
            typer.echo(text, nl=False)
        return
    write_atomically(output, text.encode())
    show(as_json, {"kind": kind, "file": str(output)}, f"{output}: written")


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok export prometheus -o vitok.rules.yml")(export)
