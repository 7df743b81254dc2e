"""What a turn works by, whatever changes meanwhile: the charter and the files it names, as they were when it began."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import vitok
from vitok.errors import NotFound, UserMistake
from vitok.kernel.digests import digest_bytes, digest_json
from vitok.loop.project import Project
from vitok.loop.review import CHARTER, read_document

_TURNS = "turns"


def turn_folder(project: Project, turn: str) -> Path:
    """Where a turn keeps what it needs to go on; removed when it has ended."""
    return project.state / _TURNS / turn


def pin(project: Project) -> dict[str, Any]:
    """Stores the charter and the files that it names.

    Returns:
        Digests of the files by name, and the version of Vitok.

    Raises:
        NotFound: a file is missing.
    """
    found = {}
    for name in charter_files(project):
        path = project.folder / name
        if not path.is_file():
            raise NotFound(
                str(path), "is named by the charter, and is not there", "Write it, or run `vitok init`."
            )
        found[name] = project.blobs.put(path.read_bytes())
    return {"vitok": vitok.__version__, "files": found}


def pinned_project(project: Project, turn: str, pins: dict[str, Any]) -> Project:
    """The project as it was when a turn began.

    Raises:
        UserMistake: another version of Vitok began it.
    """
    if pins["vitok"] != vitok.__version__:
        what = f"was begun by Vitok {pins['vitok']}; this is {vitok.__version__}, which may train otherwise"
        raise UserMistake(f"turn {turn}", what, "Start a new turn with `vitok run`.")
    folder = turn_folder(project, turn) / "code"
    for name, digest in pins["files"].items():
        path, content = folder / name, project.blobs.get(digest)
        if not path.is_file() or digest_bytes(path.read_bytes()) != digest:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return replace(project, document=read_document(folder), pinned=folder)


def fingerprint(project: Project) -> str:
    """A digest of the sources that changes whenever a file of them is written; nothing of them is read."""
    found = {}
    for name, place in project.charter.data.sources.items():
        path = Path(project.folder / place)
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        found[name] = [
            (str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()
        ]
    return digest_json(found)


def charter_files(project: Project) -> list[str]:
    """The charter and the files that it names, other than its data, relative to the project."""
    charter = project.charter
    code = [] if charter.features is None else [charter.features.partition(":")[0]]
    return [CHARTER, charter.data.expect, *code]
