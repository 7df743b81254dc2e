"""The charter for reading: what it says, its history, and how far its goals, milestones and risks are."""

from typing import Any

from vitok.errors import NotFound
from vitok.loop.charters import charter_content, charter_log
from vitok.loop.project import Project
from vitok.loop.review import CHARTER
from vitok.loop.standing import standing


def read_charter(project: Project) -> dict[str, Any]:
    """What `vitok charter show` and `vitok charter log` print, with the kept figures of plan, risks and maturity.

    Returns:
        in_force: the charter that the last turn was judged by, None before the first; text: the file as it is now.
    """
    try:
        in_force: dict[str, Any] | None = charter_content(project)
    except NotFound:
        in_force = None
    return {
        "in_force": in_force,
        "now": project.charter.as_json(),
        "text": (project.folder / CHARTER).read_text(encoding="utf-8", errors="replace"),
        **charter_log(project),
        "plan": standing(project, "plan"),
        "risks": standing(project, "risks"),
        "maturity": standing(project, "maturity"),
    }
