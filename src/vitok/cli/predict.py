"""`vitok predict`: whole tables."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.loop.predict import PART_ROWS, Request, predict_table
from vitok.wire import open_project


def predict(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="INPUT",
            help="CSV, Parquet or JSON-lines file, a folder of such files, a pattern, or lake:NAME.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write: .csv, .parquet or .jsonl; or a folder.")
    ] = ...,  # type: ignore[assignment]
    query: Annotated[
        str | None,
        typer.Option(
            "--query", metavar="SQL", help="Rows of SQL over the charter's sources and INPUT as `rows`."
        ),
    ] = None,
    no_journal: Annotated[
        bool,
        typer.Option("--no-journal", help="Do not journal the predictions: outcomes will not find them."),
    ] = False,
    part_rows: Annotated[
        int, typer.Option("--part-rows", min=1, help="Rows that are finished together; what a kill may cost.")
    ] = PART_ROWS,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Tell of each row how sure its score is.")
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Predicts every row of a table with the version in production, and journals each prediction."""
    request = Request(source, output, query, not no_journal, part_rows, intervals)
    try:
        payload = predict_table(open_project(project, say=say), request, _progress)
    finally:
        _clear()
    show(
        as_json,
        payload,
        f"{payload['rows']} rows predicted by version {payload['version']} in "
        f"{payload['seconds']:.1f} s: {output}",
    )


def _progress(line: str) -> None:
    """A line of progress; on a terminal it takes the place of the one before."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{line}\x1b[K")
        sys.stderr.flush()
    else:
        say(line)


def _clear() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok predict tomorrow.csv -o predictions.csv")(predict)
