"""What every command shares: its options, where its words go, and how errors become exit codes."""

import errno
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from vitok.errors import Fault, Refused, UserMistake, VitokError, shortened

ProjectOption = Annotated[Path, typer.Option("--project", help="The project's folder.", show_default="here")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")
]

HERE = Path()
_LONGEST_LINE = 2000
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PATHS = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EROFS, errno.ELOOP)


def say(line: str) -> None:
    """One line of progress, on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True, emoji=False).print(line, markup=False)


def show(as_json: bool, payload: dict[str, Any], text: str) -> None:
    """The result: one JSON object, or text for people."""
    if as_json:
        sys.stdout.write(json.dumps(payload, ensure_ascii=False, allow_nan=False, default=str) + "\n")
    else:
        Console(highlight=False, soft_wrap=True, emoji=False).print(text, markup=False)
    sys.stdout.flush()


def table(rows: list[list[Any]], header: list[str]) -> str:
    """Rows as aligned text."""
    cells = [header, *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).splitlines())


def report(error: BaseException, as_json: bool) -> int:
    """Tells an error, and gives the exit code that it means."""
    known = as_vitok_error(error)
    if known is None:
        raise error
    if as_json:
        content = {
            "kind": type(known).__name__,
            "place": known.place,
            "what": known.what,
            "remedy": known.remedy,
        }
        sys.stdout.write(json.dumps({"error": content}, ensure_ascii=False) + "\n")
    sys.stderr.write(f"vitok: {_one_line(str(known))}\n")
    if isinstance(known, Refused):
        return 3
    return 2 if isinstance(known, UserMistake) else 1


def _one_line(message: str) -> str:
    """A message as a terminal shows it; names of a thousand columns are cut, and whole in `--json`."""
    line = " ".join(message.splitlines())
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 400]} ... {line[-395:]}"


def interrupted() -> UserMistake:
    """What Ctrl-C means."""
    return UserMistake("vitok", "interrupted", "Run the command again when you like.")


def as_vitok_error(error: BaseException) -> VitokError | None:
    """The error in Vitok's words, None if it is a surprise."""
    if isinstance(error, VitokError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return interrupted()
    text = str(getattr(error, "orig", error))
    if (
        (isinstance(error, OSError) and error.errno in _FULL)
        or "disk is full" in text
        or "No space left" in text
    ):
        return UserMistake(
            "disk", f"is full: {text.splitlines()[0]}", "Free space, then run the command again."
        )
    if (
        "disk I/O error" in text
    ):  # what SQLite says when a write fails: a full disk, a quota, a file-size limit
        return UserMistake(
            "disk", f"cannot be written: {text.splitlines()[0]}", "Free space, then run the command again."
        )
    if isinstance(error, OSError) and error.errno in _PATHS:
        place = shortened(str(error.filename or "path"))[1:-1]
        return UserMistake(place, f"cannot be used: {os.strerror(error.errno).lower()}", "Give another path.")
    if isinstance(error, PermissionError):
        return UserMistake(
            str(error.filename), "cannot be accessed: permission denied", "Change its permissions."
        )
    if type(error).__module__.startswith("sqlalchemy"):
        from vitok.store.outages import away, is_outage  # here the library is loaded already

        if is_outage(error):
            return away(error)
        return Fault("state database", text.splitlines()[0], "See `vitok doctor`.")
    return None
