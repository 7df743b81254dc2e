"""Archives: a compressed tar file whose last member names the digest of every other one."""

import hashlib
import io
import json
import os
import secrets
import tarfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any

from vitok.errors import Fault, NotFound, UserMistake, shortened

FORMAT = 1
_MANIFEST = "manifest.json"
_PIECE = 2**20
_ANOTHER = "Use another archive: this one was cut off or changed."


class Packer:
    """Puts members into an archive that is being written.

    Args:
        tar: The open archive.
    """

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.files: dict[str, str] = {}

    def add(self, name: str, content: bytes) -> None:
        """Adds bytes under a name."""
        self._put(name, io.BytesIO(content), len(content))

    def add_file(self, name: str, path: Path) -> None:
        """Adds a file as long as it is now; what is appended meanwhile stays out.

        Raises:
            OSError: it cannot be read.
        """
        with path.open("rb") as file:
            self._put(name, file, os.fstat(file.fileno()).st_size)

    def _put(self, name: str, file: IO[bytes], size: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        reader = _Digesting(file)
        self._tar.addfile(info, reader)
        self.files[name] = reader.digest.hexdigest()


class _Digesting:
    """A file that is digested as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


@contextmanager
def pack(path: Path, about: dict[str, Any]) -> Iterator[Packer]:
    """Writes an archive, the whole of it or nothing; its owner alone may read it.

    Args:
        about: What the manifest says beside the digests.

    Raises:
        UserMistake: the disk is full, or something cannot be read or written.
    """
    temporary = path.parent / f".writing-{secrets.token_hex(8)}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with (
            os.fdopen(handle, "wb") as file,
            tarfile.open(
                fileobj=file, mode="w:gz", compresslevel=1
            ) as tar,  # most of it is compressed already
        ):
            packer = Packer(tar)
            yield packer
            manifest = {**about, "format": FORMAT, "files": packer.files}
            packer.add(_MANIFEST, json.dumps(manifest, sort_keys=True).encode())
        os.replace(temporary, path)
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        raise UserMistake(str(path), what, "Free disk space or permissions, then run again.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def unpack(path: Path, folder: Path) -> dict[str, Any]:
    """Writes the members of an archive into an empty folder, and says what its manifest says.

    Whatever is raised, the caller throws the folder away: only what this function returns for is whole.

    Raises:
        NotFound: there is no such file.
        UserMistake: it is no archive of ours, or the disk is full.
        Fault: it is cut off, a member was changed, or would be written elsewhere; a newer Vitok made it.
    """
    found: dict[str, str] = {}
    try:
        with tarfile.open(path, "r|gz") as tar:
            for member in tar:
                target = folder / _name_of(member, found, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(member)
                assert content is not None
                found[member.name] = _copy(content, target)
    except FileNotFoundError as error:
        raise NotFound(str(path), "is not there", "Give an archive of `vitok backup`.") from error
    except (tarfile.TarError, EOFError, zlib.error) as error:
        if not found:
            what = f"is no archive: {error or 'it is empty'}"
            raise UserMistake(str(path), what, "Give an archive of `vitok backup`.") from error
        raise Fault(str(path), f"cannot be read behind {_last(found)}: {error}", _ANOTHER) from error
    except OSError as error:
        what = f"cannot be unpacked: {error.strerror or error}"
        raise UserMistake(str(path), what, "Free disk space or permissions, then run again.") from error
    return _verified(path, folder, found)


def read_members(path: Path, names: Collection[str]) -> dict[str, bytes]:
    """Some members of an archive, those that are there and as the manifest says; nothing of one that is not whole."""
    found: dict[str, bytes] = {}
    manifest: dict[str, Any] = {}
    try:
        with tarfile.open(path, "r|gz") as tar:
            for member in tar:
                content = (
                    tar.extractfile(member) if member.name in names or member.name == _MANIFEST else None
                )
                if content is not None and member.name == _MANIFEST:
                    manifest = json.loads(content.read())["files"]
                elif content is not None:
                    found[member.name] = content.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, KeyError, TypeError):
        return {}
    return {
        name: data for name, data in found.items() if hashlib.sha256(data).hexdigest() == manifest.get(name)
    }


def _copy(content: IO[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    with target.open("xb") as file:
        while piece := content.read(_PIECE):
            digest.update(piece)
            file.write(piece)
    target.chmod(0o600)
    return digest.hexdigest()


def _name_of(member: tarfile.TarInfo, found: dict[str, str], path: Path) -> str:
    name = member.name
    parts = PurePosixPath(name).parts
    if not member.isreg():
        what = "is a link, a folder or a device, not a file"
    elif (
        not parts or name.startswith("/") or ".." in parts or "\\" in name or str(PurePosixPath(name)) != name
    ):
        what = "would be written outside of the folder"
    elif name in found:
        what = "is there twice"
    else:
        return name
    raise Fault(str(path), f"member {shortened(name)} {what}", "Vitok makes no such archive: do not use it.")


def _verified(path: Path, folder: Path, found: dict[str, str]) -> dict[str, Any]:
    if found.pop(_MANIFEST, None) is None:
        raise Fault(str(path), f"has no manifest behind {_last(found)}", _ANOTHER)
    try:
        manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_bytes())
        files, form = manifest["files"], manifest["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise Fault(str(path), f"its manifest cannot be read: {error}", _ANOTHER) from error
    (folder / _MANIFEST).unlink()
    if form != FORMAT:
        raise Fault(str(path), f"has format {form}, this Vitok reads {FORMAT}", "Update Vitok.")
    wrong = sorted(name for name in files.keys() | found.keys() if files.get(name) != found.get(name))
    if wrong:
        what = f"member {shortened(wrong[0])} is not what the manifest says"
        raise Fault(str(path), what, _ANOTHER)
    return manifest


def _last(found: dict[str, str]) -> str:
    return shortened(next(reversed(found), "its beginning"))
