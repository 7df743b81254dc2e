"""`vitok predict`: a whole file."""

from pathlib import Path
from typing import Annotated

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.loop.predict import predict_file
from vitok.wire import open_project


def predict(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="CSV, Parquet or JSON-lines file with the model's inputs.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV or Parquet file to write.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Predicts every row of a file with the version in production, and journals each prediction."""
    payload = predict_file(open_project(project, say=say), source, output)
    show(
        as_json,
        payload,
        f"{payload['rows']} rows predicted by version {payload['version']} in "
        f"{payload['seconds']:.1f} s: {output}",
    )


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok predict tomorrow.csv -o predictions.csv")(predict)
