"""Content-addressed bytes in a folder: what is put once can only be read back as it was."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from vitok.errors import Fault, NotFound, UserMistake
from vitok.kernel.digests import digest_bytes

_DIGEST = re.compile(r"^[0-9a-f]{64}$")


def write_atomically(path: Path, content: bytes, *, private: bool = False) -> None:
    """Writes a whole file or nothing, also when the disk is full or the process dies.

    Args:
        private: Only the owner may read it; otherwise whoever the user's umask allows.

    Raises:
        UserMistake: the file system refuses (full, read-only, no permission).
    """
    temporary = path.parent / f".writing-{secrets.token_hex(8)}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserMistake(
            str(path),
            f"cannot be written: {error.strerror or error}",
            "Free disk space or permissions, then run again.",
        ) from error


class Blobs:
    """Blobs by the SHA-256 of their bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, digest: str) -> Path:
        if not _DIGEST.match(digest):
            raise NotFound("blob", f"{digest!r} is no digest", "Use a digest as `vitok models` shows it.")
        return self.folder / digest[:2] / digest

    def put(self, content: bytes) -> str:
        """Stores bytes and returns their digest; storing them again does nothing."""
        digest = digest_bytes(content)
        path = self._path(digest)
        if not path.exists():
            write_atomically(path, content)
        return digest

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        return self._path(digest).exists()

    def get(self, digest: str) -> bytes:
        """Reads a blob back.

        Raises:
            NotFound: there is no such blob.
            Fault: the bytes on disk are not those that were put.
        """
        path = self._path(digest)
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(
                f"blob {digest[:12]}",
                "is not in the store",
                "Restore the project's .vitok folder from a backup.",
            ) from error
        if digest_bytes(content) != digest:
            raise Fault(
                str(path),
                "the bytes differ from their digest",
                "The file is damaged: restore it from a backup.",
            )
        return content

    def all(self) -> Iterator[tuple[str, Path]]:
        """Every blob that lies in the folder, and where; damaged ones too."""
        for path in sorted(self.folder.glob("[0-9a-f][0-9a-f]/*")):
            if _DIGEST.match(path.name):
                yield path.name, path

    def put_back(self, digest: str, content: bytes) -> None:
        """Replaces a blob that is damaged or gone by its own bytes.

        Raises:
            Fault: these are other bytes.
        """
        if digest_bytes(content) != digest:
            raise Fault(f"blob {digest[:12]}", "these are not its bytes", "Take them from another archive.")
        write_atomically(self._path(digest), content)
