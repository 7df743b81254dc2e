"""Files that commands are asked to write: their names are checked before the work starts."""

from collections.abc import Sequence
from pathlib import Path

from vitok.errors import UserMistake
from vitok.store.blobs import write_atomically


def require_file(option: str, path: Path, kind: str, suffixes: Sequence[str]) -> None:
    """Checks the name of a file.

    Args:
        kind: What it is to be, for the message.
        suffixes: That it may have.

    Raises:
        UserMistake: the suffix is none that can be written, or the folder cannot hold a file.
    """
    if path.suffix.lower() not in suffixes:
        named = " or ".join(f"FILE{suffix}" for suffix in suffixes)
        raise UserMistake(option, f"{path.name!r} is no {kind} that can be written", f"Name it {named}.")
    folder = next((parent for parent in path.absolute().parents if parent.exists()), None)
    if path.is_dir() or folder is None or not folder.is_dir():
        raise UserMistake(option, f"{path} cannot be written: not a file in a folder", "Choose another file.")


def write_file(option: str, path: Path, content: bytes) -> None:
    """Writes a file, all of it or nothing.

    Raises:
        UserMistake: it cannot be written.
    """
    try:
        write_atomically(path, content)
    except OSError as error:
        what = f"{path} cannot be written: {error.strerror or error}"
        raise UserMistake(option, what, "Choose another file.") from error
