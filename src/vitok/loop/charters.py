"""`vitok charter`: which charters were in force, what changed between them, and what was judged by each."""

from collections.abc import Mapping
from typing import Any

from vitok.charter.changes import Change, charter_changes
from vitok.errors import NotFound, UserMistake
from vitok.kernel.clock import format_time
from vitok.loop.project import Project
from vitok.loop.revisions import charter_number
from vitok.registry import charters, versions

NOW = "now"


def charter_log(project: Project) -> dict[str, Any]:
    """The object that `vitok charter log --json` prints: all charters, oldest first, and what the file changes."""
    with project.engine.connect() as connection:
        known, judged = charters.all_charters(connection), versions.all_versions(connection)
    rows = []
    for index, charter in enumerate(known):
        before = known[index - 1].content if index else None
        changes = [] if before is None else charter_changes(before, charter.content)
        mine = [version for version in judged if charter_number(version, known) == charter.number]
        rows.append(
            {
                "number": charter.number,
                "since": format_time(charter.seen),
                "actor": charter.actor,
                "digest": charter.digest,
                "changes": [change.as_json() for change in changes],
                "verdicts": [{"version": each.number, "verdict": each.verdict} for each in mine],
            }
        )
    pending = _pending(project, known)
    return {"charters": rows, "pending": [change.as_json() for change in pending]}


def _pending(project: Project, known: list[charters.CharterVersion]) -> list[Change]:
    """What `vitok.yaml` says otherwise than the charter in force."""
    return charter_changes(known[-1].content, project.charter.as_json()) if known else []


def charter_diff(project: Project, old: str | None = None, new: str | None = None) -> dict[str, Any]:
    """The object that `vitok charter diff --json` prints.

    Args:
        old: A number or `now`; None for the last that is recorded.
        new: A number or `now`; None for the file as it is now.

    Raises:
        NotFound: no such charter is recorded.
        UserMistake: a name is neither a number nor `now`.
    """
    known = _known(project)
    first, before = _find(project, known, str(max(known)) if old is None else old)
    second, after = _find(project, known, NOW if new is None else new)
    changes = charter_changes(before, after)
    return {"old": first, "new": second, "changes": [change.as_json() for change in changes]}


def charter_content(project: Project, name: str | None = None) -> dict[str, Any]:
    """The object that `vitok charter show --json` prints.

    Args:
        name: A number or `now`; None for the last that is recorded.

    Raises:
        NotFound: no such charter is recorded.
        UserMistake: the name is neither a number nor `now`.
    """
    known = _known(project)
    number, content = _find(project, known, str(max(known)) if name is None else name)
    found = None if number == NOW else known[int(number)]
    return {
        "number": number,
        "since": None if found is None else format_time(found.seen),
        "actor": None if found is None else found.actor,
        "digest": project.document.digest if found is None else found.digest,
        "content": content,
    }


def _known(project: Project) -> dict[int, charters.CharterVersion]:
    with project.engine.connect() as connection:
        known = charters.all_charters(connection)
    if not known:
        remedy = "A charter is recorded when a turn runs by it: `vitok run`."
        raise NotFound(str(project.folder), "no charter is recorded yet", remedy)
    return {charter.number: charter for charter in known}


def _find(
    project: Project, known: Mapping[int, charters.CharterVersion], name: str
) -> tuple[int | str, dict[str, Any]]:
    if name == NOW:
        return NOW, project.charter.as_json()
    if not name.isdecimal():
        remedy = f"Write a number from {min(known)} to {max(known)}, or now."
        raise UserMistake("charter", f"{name!r} is no number of a charter", remedy)
    number = int(name)
    if number not in known:
        remedy = f"Known: {', '.join(map(str, known))}, and now for the file; see `vitok charter log`."
        raise NotFound(f"charter {number}", "is not recorded", remedy)
    return number, known[number].content
