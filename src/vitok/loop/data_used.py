"""What data the project has learned from, what it expects of data, and what the last look at new data said."""

from collections.abc import Iterable
from typing import Any

from vitok.data.expectations import from_yaml
from vitok.errors import VitokError
from vitok.kernel.clock import format_time
from vitok.loop.project import Project
from vitok.registry import turns, versions, windows
from vitok.registry.turns import Turn
from vitok.registry.versions import Version

_ROLES = (
    ("id", "id"),
    ("target", "target"),
    ("time", "time"),
    ("entity", "entity"),
    ("label_time", "label time"),
)


def data_used(project: Project) -> dict[str, Any]:
    """Everything that is known of data without reading any.

    Returns:
        `snapshots` (newest first: digest, table_version, rows, start, end, the turns and versions that used it, and
        of the newest version what was left out and lost), `sources`, `query`, `columns` (with their roles),
        `expectations` (None if the file cannot be read, and why), `look`: what the last window said, None before one.
    """
    with project.engine.connect() as connection:
        made, known = turns.all_turns(connection), versions.all_versions(connection)
        last = windows.last_windows(connection, 1)
    data = project.charter.data
    return {
        "snapshots": _snapshots(made, known),
        "sources": [{"name": name, "file": file} for name, file in data.sources.items()],
        "query": data.query,
        "columns": _columns(project),
        "expectations": _expectations(project),
        "look": _look(last[0]) if last else None,
    }


def _snapshots(made: Iterable[Turn], known: Iterable[Version]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for turn in made:
        if turn.data.get("digest"):
            _entry(found, turn.data)["turns"].append(turn.number)
    for version in known:
        used = version.summary.get("data") or {}
        if used.get("digest"):
            entry = _entry(found, used)
            entry["versions"].append(version.number)
            entry |= {"start": used.get("start"), "end": used.get("end")}
            entry |= {name: version.summary.get(name, {}) for name in ("left_out", "lost_cells")}
    return sorted(found.values(), key=lambda each: (each["table_version"] or 0, each["turns"]), reverse=True)


def _entry(found: dict[str, dict[str, Any]], used: dict[str, Any]) -> dict[str, Any]:
    table = used.get("table_version", used.get("version"))
    blank: dict[str, Any] = {"digest": used["digest"], "table_version": table, "rows": used.get("rows")}
    blank |= {"start": None, "end": None, "turns": [], "versions": [], "left_out": {}, "lost_cells": {}}
    return found.setdefault(used["digest"], blank)


def _columns(project: Project) -> list[dict[str, str]]:
    """Columns that the charter gives a role."""
    task, data = project.charter.task, project.charter.data
    named = [(getattr(task, key), role) for key, role in _ROLES]
    named += [(name, "personal") for name in data.personal]
    named += [(name, "excluded") for name in data.exclude]
    named += [(name, "trusted") for name in data.trusted]
    return [{"column": name, "role": role} for name, role in named if name]


def _expectations(project: Project) -> dict[str, Any]:
    name = project.charter.data.expect
    try:
        found = from_yaml((project.code / name).read_text(encoding="utf-8"), name)
    except FileNotFoundError:
        return {"file": name, "problem": "there is no such file yet", "min_rows": None, "columns": []}
    except (OSError, UnicodeDecodeError, VitokError) as error:
        return {"file": name, "problem": str(error), "min_rows": None, "columns": []}
    columns = [
        {"column": column, **expected.model_dump(mode="json")} for column, expected in found.columns.items()
    ]
    return {"file": name, "problem": "", "min_rows": found.min_rows, "columns": columns}


def _look(window: dict[str, Any]) -> dict[str, Any]:
    keys = ("column", "status", "missing_then", "missing_now", "unseen_now", "sentence")
    return {
        "start": format_time(window["start"]),
        "end": format_time(window["end"]),
        "rows": window["rows"],
        "labelled": window["labelled"],
        "version": window["version"],
        "columns": [{key: finding.get(key) for key in keys} for finding in window["drift"]],
        "volume": window["details"].get("volume", []),
    }
