"""Writing charts: a specification as a picture, or as a page that asks no host for anything."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.cli.files import require_file, write_file

SUFFIXES = (".png", ".html")
_SCALE = 2.0  # pixels per point: sharp on today's screens

PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Write a chart too: FILE.png or FILE.html.")
]


def require_plot(path: Path | None) -> None:
    """Checks the name before the work starts."""
    if path is not None:
        require_file("--plot", path, "chart", SUFFIXES)


def write_chart(spec: dict[str, Any], path: Path) -> None:
    """Writes a chart as PNG or as one self-contained HTML page.

    Args:
        spec: Vega-Lite specification.
        path: As `require_plot` checked it.

    Raises:
        UserMistake: the file cannot be written.
    """
    import vl_convert

    if path.suffix.lower() == ".png":
        content = bytes(vl_convert.vegalite_to_png(spec, scale=_SCALE))
    else:
        content = vl_convert.vegalite_to_html(spec, bundle=True).encode()
    write_file("--plot", path, content)
