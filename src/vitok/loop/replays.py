"""Replays that people start from the page: in a process of their own, with progress, kept when they are over."""

import json
import re
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from vitok.errors import Busy, NotFound, UserMistake
from vitok.govern import audit
from vitok.kernel.clock import format_time, parse_time
from vitok.kernel.ids import new_id
from vitok.loop.project import Project
from vitok.loop.retraining import parse_policy
from vitok.store import detached
from vitok.store.blobs import write_atomically
from vitok.store.locks import GLANCE_SECONDS, hold

_FOLDER, _ABOUT, _LOCK = "replays", "about.json", "lock"
_MOST_POLICIES, _MOST_KEPT = 8, 20
_SPAN = re.compile(r"^Replay (\S+) to (\S+)$", re.MULTILINE)
_AT = re.compile(r"^  (.+?): (\d{4}-\d\d-\d\d(?:T\d\d:\d\d)?) ")


def start_replay(
    project: Project,
    policies: str,
    *,
    actor: str,
    start: str | None = None,
    end: str | None = None,
    inject: str | None = None,
) -> dict[str, Any]:
    """Starts a replay; it goes on whatever happens to the server.

    Args:
        policies: One on each line.
        start, end: ISO 8601; None as for `vitok replay`.
        inject: Faults, one on each line.

    Raises:
        UserMistake: a policy or a moment makes no sense, or there are too many.
        Busy: one is running.
    """
    chosen = [line.strip() for line in policies.splitlines() if line.strip()]
    faults = [line.strip() for line in (inject or "").splitlines() if line.strip()]
    if not 0 < len(chosen) <= _MOST_POLICIES:
        what = f"{len(chosen)} policies are given"
        raise UserMistake("policies", what, f"Write 1 to {_MOST_POLICIES}, one on each line.")
    for text in chosen:
        parse_policy(project, text)
    span = [("--from", start), ("--to", end)]
    for option, moment in span:
        if moment:
            parse_time(moment, option)
    name = new_id(project.clock())
    folder = project.state / _FOLDER / name
    about = {"policies": chosen, "inject": faults, "actor": actor, "began": format_time(project.clock())}
    command = [sys.executable, "-m", "vitok.cli", "replay", "--json", "--project", str(project.folder)]
    command += [f"--policy={text}" for text in chosen]
    command += [f"--inject={text}" for text in faults]
    command += [f"{option}={moment}" for option, moment in span if moment]
    with hold(project.state / _FOLDER / _LOCK, "replay", GLANCE_SECONDS):  # two people may start one at once
        if any(detached.is_running(each) for each in _folders(project)):
            raise Busy("replay", "one is running", "Wait until it ends, or end it.")
        folder.mkdir()
        write_atomically(folder / _ABOUT, json.dumps(about).encode())
        detached.start(folder, command)
    with project.engine.begin() as connection:
        audit.record(connection, project.clock(), actor, "replay", name, {"policies": chosen})
    for old in _folders(project)[:-_MOST_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return _summary(project, folder)


def list_replays(project: Project) -> dict[str, Any]:
    """All replays that were started from the page, newest first."""
    return {"replays": [_summary(project, folder) for folder in reversed(_folders(project))]}


def show_replay(project: Project, name: str) -> dict[str, Any]:
    """One replay: how far it is, or what came out, as `vitok replay --json` prints it.

    Raises:
        NotFound: there is none of this name.
    """
    folder = _folder(project, name)
    found = _summary(project, folder)
    said = _said(folder) if found["state"] in ("done", "failed") else None
    return {**found, "result": said if found["state"] == "done" else None, "log": detached.log(folder)[-200:]}


def end_replay(project: Project, name: str, *, actor: str) -> dict[str, Any]:
    """Ends a replay that is running.

    Raises:
        NotFound: there is none of this name.
    """
    folder = _folder(project, name)
    if detached.is_running(folder):
        detached.end(folder)
        with project.engine.begin() as connection:
            audit.record(connection, project.clock(), actor, "end replay", name, {})
    return _summary(project, folder)


def _folders(project: Project) -> list[Path]:
    """Oldest first: names grow with time. One that is just being made is not among them."""
    return sorted(path.parent for path in (project.state / _FOLDER).glob(f"*/{_ABOUT}"))


def _folder(project: Project, name: str) -> Path:
    found = next((folder for folder in _folders(project) if folder.name == name), None)
    if found is None:
        raise NotFound(f"replay {name[:40]!r}", "does not exist", "See /replay for those that do.")
    return found


def _summary(project: Project, folder: Path) -> dict[str, Any]:
    about = json.loads((folder / _ABOUT).read_bytes())
    running = detached.is_running(folder)
    said = None if running else _said(folder)
    failure = None if said is None or "error" not in said else said["error"]
    state = "running" if running else "cut off" if said is None else "failed" if failure else "done"
    done = _progress(folder) if running else None
    seconds = (project.clock() - parse_time(about["began"])).total_seconds()
    return {
        "name": folder.name,
        **about,
        "state": state,
        "failure": None if failure is None else f"{failure['place']}: {failure['what']}. {failure['remedy']}",
        "progress": done,
        "seconds_left": seconds * (1 - done) / done if done else None,
        "advice": None if said is None or not said.get("advice") else said["advice"]["sentence"],
    }


def _said(folder: Path) -> dict[str, Any] | None:
    """What the command has printed; None if it was cut off before."""
    try:
        found: dict[str, Any] = json.loads(detached.output(folder))
    except ValueError:
        return None
    return found


def _progress(folder: Path) -> float | None:
    """How much of the time the policy that is behind has lived through; None before any has said something."""
    lines = detached.log(folder)
    span = _SPAN.search("\n".join(lines))
    seen = {match[1]: parse_time(match[2]) for line in lines if (match := _AT.match(line))}
    if span is None or not seen:
        return None
    start, end = parse_time(span[1]), parse_time(span[2])
    return max(0.0, min(1.0, _share(min(seen.values()), start, end)))


def _share(moment: datetime, start: datetime, end: datetime) -> float:
    return (moment - start) / (end - start) if end > start else 1.0
