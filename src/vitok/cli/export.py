"""`vitok export`: what others can read."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from vitok.cli.output import JsonOption, show
from vitok.errors import UserMistake
from vitok.export.schema import charter_schema
from vitok.report.charter_reference import charter_reference
from vitok.store.blobs import write_atomically

KINDS: dict[str, Callable[[], str]] = {"schema": charter_schema, "charter-reference": charter_reference}


def export(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="schema: JSON schema of vitok.yaml, for editors; charter-reference: every key as Markdown.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to write. Default: stdout.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Writes the charter's JSON schema or its reference; needs no project."""
    if kind not in KINDS:
        raise UserMistake("KIND", f"{kind!r} cannot be exported", f"Known: {', '.join(KINDS)}.")
    text = KINDS[kind]()
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
    app.command(epilog="Example: vitok export schema -o vitok.schema.json")(export)
