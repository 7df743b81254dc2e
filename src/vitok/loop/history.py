"""What was found out about a project at some cost, kept so that others need not find it out again to know it."""

import json
from typing import Any

from vitok.kernel.clock import format_time
from vitok.loop.project import Project
from vitok.store.blobs import write_atomically

_POLICIES, _REPRODUCED = "policies.json", "reproduced.json"


def keep_comparison(project: Project, payload: dict[str, Any]) -> None:
    """Remembers the last comparison of policies: when, which, what each was worth, and the advice."""
    if payload["advice"] is None:
        return
    found = {
        "time": format_time(project.clock()),
        "policies": [
            {name: policy[name] for name in ("name", "turns", "value", "mean", "at_risk")}
            for policy in payload["policies"]
        ],
        **payload["advice"],
    }
    write_atomically(project.state / _POLICIES, json.dumps(found).encode())


def compared_policies(project: Project) -> dict[str, Any] | None:
    """The last comparison that was remembered, None if there is none."""
    return _read(project, _POLICIES)


def keep_reproduction(project: Project, found: dict[str, Any]) -> None:
    """Remembers that a version was made again, and whether it answered alike."""
    write_atomically(project.state / _REPRODUCED, json.dumps(found).encode())


def last_reproduction(project: Project) -> dict[str, Any] | None:
    """The version that was made again last, None if none was."""
    return _read(project, _REPRODUCED)


def take_along(source: Project, project: Project) -> None:
    """Lets another project know what was found out about policies."""
    path = source.state / _POLICIES
    if path.is_file():
        write_atomically(project.state / _POLICIES, path.read_bytes())


def _read(project: Project, name: str) -> dict[str, Any] | None:
    path = project.state / name
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found
