"""What people see of the audit log: its lines, whether it is whole, signed checkpoints, and exports for auditors."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.exc import IntegrityError

from vitok.errors import Fault, UserMistake, VitokError
from vitok.govern import audit, checkpoints
from vitok.govern.checkpoints import Checkpoint
from vitok.govern.secrets import signing_key
from vitok.kernel.clock import format_time
from vitok.loop.project import Project

Format = Literal["jsonl", "cloudevents"]
_MOST_PROBLEMS = 20


def list_audit(project: Project, *, limit: int, **filters: Any) -> dict[str, Any]:
    """The object that `vitok audit --json` prints: the newest lines first.

    Args:
        limit: How many lines, at most.
        filters: As for `audit.lines`.
    """
    with project.engine.connect() as connection:
        found = [_line_json(line) for line in audit.lines(connection, **filters)]
        total = audit.count(connection)
    return {"lines": found[-limit:][::-1], "found": len(found), "total": total}


def verify_audit(project: Project, *, keys: Sequence[str] = (), kept: Path | None = None) -> dict[str, Any]:
    """The object that `vitok audit verify --json` prints.

    Args:
        keys: Public keys that count beside the one of this installation: of one before, or of another machine.
        kept: A file with checkpoints that were kept elsewhere.

    Raises:
        UserMistake: the file holds none, or this installation's secret cannot be used.
    """
    elsewhere = [] if kept is None else _read_kept(kept)
    own = checkpoints.public_key(signing_key())
    trusted = {own, *keys}
    with project.engine.connect() as connection:
        signed = [*checkpoints.all_checkpoints(connection), *elsewhere]
        found = {*audit.problems(connection), *checkpoints.problems(connection, signed, trusted)}
        total = audit.count(connection)
    last = max((each.sequence for each in signed if each.key in trusted), default=0)
    untrusted = sorted({each.key for each in signed} - trusted)
    return {
        "ok": not found and not untrusted,
        "lines": total,
        "problems": [{"line": line, "what": what} for line, what in sorted(found)[:_MOST_PROBLEMS]],
        "checkpoints": len(signed),
        "unsigned": max(total - last, 0),
        "key": own,
        "untrusted": untrusted,
    }


def sign_audit(project: Project) -> dict[str, Any] | None:
    """Makes a checkpoint if lines have come since the last one.

    Returns:
        The last checkpoint, as `vitok audit checkpoint --json` prints it; None of an empty log.

    Raises:
        UserMistake: this installation's secret cannot be used.
    """
    secret = signing_key()
    try:
        with project.engine.begin() as connection:
            found = checkpoints.make(connection, project.clock(), secret)
    except IntegrityError:  # another process has just signed the same
        with project.engine.connect() as connection:
            found = checkpoints.all_checkpoints(connection)[-1]
    return None if found is None else found.as_json()


def export_audit(project: Project, form: Format) -> Iterator[str]:
    """Lines of JSON for auditors: each line of the log, then the checkpoints.

    Args:
        form: The log's own keys, or CloudEvents 1.0 in their JSON format.
    """
    with project.engine.connect() as connection:
        for line in audit.lines(connection):
            content = _line_json(line)
            yield _dump(_event(project, content) if form == "cloudevents" else content)
        for each in checkpoints.all_checkpoints(connection):
            content = {"checkpoint": each.as_json()}
            yield _dump(_checkpoint_event(project, each) if form == "cloudevents" else content)


def require_whole_log(project: Project) -> str:
    """What `vitok doctor` says of the log; checkpoints of another machine, as after a restore, are no trouble.

    Raises:
        Fault: it was altered.
    """
    found = verify_audit(project)
    if found["problems"]:
        what = found["problems"][0]["what"]
        raise Fault("audit log", what, "See `vitok audit verify`, and compare it with a backup.")
    return f"whole, {found['lines']} line(s), {found['unsigned']} of them not signed yet"


def _read_kept(file: Path) -> list[Checkpoint]:
    remedy = "Give a file that `vitok audit checkpoint -o` or `vitok audit export` has written."
    found = []
    try:
        for text in file.read_text(encoding="utf-8").splitlines():
            content = json.loads(text)
            content = content.get("checkpoint", content.get("data", content))  # as it is, in a line, an event
            if "signature" in content:
                found.append(Checkpoint.from_json(content))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, VitokError) as error:
        raise UserMistake(str(file), f"cannot be read: {error}", remedy) from error
    if not found:
        raise UserMistake(str(file), "holds no checkpoint", remedy)
    return found


def _line_json(line: dict[str, Any]) -> dict[str, Any]:
    return {**line, "time": format_time(line["time"])}


def _event(project: Project, line: dict[str, Any]) -> dict[str, Any]:
    kind = line["action"].replace(" ", "_").replace("-", "_")
    data = {name: line[name] for name in ("sequence", "actor", "action", "details", "previous", "digest")}
    return _envelope(project, str(line["sequence"]), kind, line["time"]) | {
        "subject": line["subject"],
        "data": data,
    }


def _checkpoint_event(project: Project, each: Checkpoint) -> dict[str, Any]:
    key, data = f"checkpoint-{each.sequence}", each.as_json()
    return _envelope(project, key, "checkpoint", data["time"]) | {"subject": "audit log", "data": data}


def _envelope(project: Project, key: str, kind: str, time: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": key,
        "source": f"/vitok/{project.charter.project}/audit",
        "type": f"vitok.audit.{kind}",
        "time": time,
        "datacontenttype": "application/json",
    }


def _dump(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"
