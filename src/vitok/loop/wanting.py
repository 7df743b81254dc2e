"""Asking for a turn, which the keeper starts at its next look."""

from typing import Any

from vitok.govern import audit
from vitok.kernel.digests import digest_bytes
from vitok.kernel.ids import new_id
from vitok.loop.project import Project
from vitok.registry import wanted


def want_turn(project: Project, who: str, *, reason: str, key: str | None = None) -> dict[str, Any]:
    """Asks for a turn.

    Args:
        key: The same one of the same person twice is one turn; None for a new one.
    """
    now = project.clock()
    named = digest_bytes(f"{who}\n{key}".encode()) if key else new_id(now)
    with project.engine.begin() as connection:
        found, is_new = wanted.ask(connection, named, now, who, reason)
        if is_new:
            told = {"reason": reason}
            audit.record(connection, now, who, "ask for turn", f"wanted turn {found.number}", told)
    return {"wanted": found.number, "asked_by": found.actor, "reason": found.reason, "turn": found.turn}
