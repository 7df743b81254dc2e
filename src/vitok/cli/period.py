"""The period of predictions, or of windows, that a command looks at."""

from datetime import datetime
from typing import Annotated

import typer

from vitok.kernel.clock import parse_time

FromOption = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="First prediction. Default: all.")
]
WindowsFromOption = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="All windows from this moment on.")
]
WindowsToOption = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="All windows up to this moment.")
]
ToOption = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Last prediction. Default: all.")]


def period(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """The moments that `--from` and `--to` name, None where one is left out.

    Raises:
        UserMistake: one of them is no time.
    """
    return (
        None if start is None else parse_time(start, "--from"),
        None if end is None else parse_time(end, "--to"),
    )
