"""Writing charts: a specification as a picture, or as a page that asks no host for anything."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.errors import UserMistake
from vitok.store.blobs import write_atomically

SUFFIXES = (".png", ".html")
_SCALE = 2.0  # pixels per point: sharp on today's screens

PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Write a chart too: FILE.png or FILE.html.")
]


def require_plot(path: Path | None) -> None:
    """Checks the name before the work starts.

    Raises:
        UserMistake: the suffix is none that can be written, or the folder cannot hold a file.
    """
    if path is None:
        return
    if path.suffix.lower() not in SUFFIXES:
        raise UserMistake(
            "--plot", f"{path.name!r} is no chart that can be written", "Name it FILE.png or FILE.html."
        )
    folder = next((parent for parent in path.absolute().parents if parent.exists()), None)
    if path.is_dir() or folder is None or not folder.is_dir():
        raise UserMistake(
            "--plot", f"{path} cannot be written: not a file in a folder", "Choose another file."
        )


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
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UserMistake(
            "--plot", f"{path} cannot be written: {error.strerror or error}", "Choose another file."
        ) from error
