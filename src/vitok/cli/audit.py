"""`vitok audit`: who did what, when and why; whether the record is whole; and exports for auditors."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.errors import UserMistake
from vitok.kernel.clock import parse_time
from vitok.loop.auditing import export_audit, list_audit, sign_audit, verify_audit
from vitok.store.blobs import write_atomically
from vitok.wire import open_project

_LONGEST_CELL = 80
_Output = Annotated[Path | None, typer.Option("-o", "--output", help="File to write; without it: to stdout.")]


def audit(
    context: typer.Context,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only from then on.")] = None,
    who: Annotated[str | None, typer.Option("--actor", metavar="NAME", help="Only of this one.")] = None,
    action: Annotated[
        str | None, typer.Option("--action", metavar="WORDS", help="Only what has these words in it.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="WORDS", help="Only about what has these words in it.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="How many lines, at most.", min=1)] = 50,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Lists who did what, when and why, the newest first; with a verb behind it: verifies, signs or exports the log."""
    if context.invoked_subcommand is not None:
        return
    moment = None if since is None else parse_time(since, "--since")
    opened = open_project(project, say=say)
    filters = {"since": moment, "actor": who, "action": action, "subject": subject}
    payload = list_audit(opened, limit=limit, **filters)
    rows = [
        [
            line["sequence"],
            line["time"][:19],
            line["actor"],
            line["action"],
            line["subject"],
            _why(line["details"]),
        ]
        for line in payload["lines"]
    ]
    header = ["line", "time", "who", "did", "to", "because"]
    more = payload["found"] - len(rows)
    text = table(rows, header) if rows else "Nothing was found."
    show(as_json, payload, text + (f"\nand {more} before: --limit" if more else ""))


def verify(
    key: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="HEX", help="A public key that counts too; may be given again."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="FILE", help="Checkpoints that were kept elsewhere."),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Finds any line that was edited, removed, moved or cut off; exit code 3 if there is one."""
    payload = verify_audit(open_project(project, say=say), keys=key or [], kept=checkpoint)
    lines = [f"BAD  {each['what']}" for each in payload["problems"]]
    lines += [
        f"BAD  checkpoints are signed with {key}, which is not this installation's key; trust it with --key"
        for key in payload["untrusted"]
    ]
    if payload["ok"]:
        lines = [
            f"Whole: {payload['lines']} lines, {payload['checkpoints']} checkpoints; "
            f"{payload['unsigned']} lines since the last one",
            f"Public key of this installation: {payload['key']}",
        ]
    show(as_json, payload, "\n".join(lines))
    if not payload["ok"]:
        raise typer.Exit(3)


def checkpoint(output: _Output = None, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Signs how far the log has come; keep the result elsewhere."""
    payload = sign_audit(open_project(project, say=say))
    if payload is None:
        raise UserMistake("audit log", "is empty", "There is nothing to sign yet.")
    text = json.dumps(payload)
    if output is not None:
        _write(output, f"{text}\n")
    show(as_json, payload, text if output is None else f"Line {payload['sequence']} is signed: {output}.")


def export(
    form: Annotated[str, typer.Option("--format", help="jsonl or cloudevents.")] = "jsonl",
    output: _Output = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Writes the whole log for auditors: one JSON object a line, and the checkpoints behind."""
    if form not in ("jsonl", "cloudevents"):
        raise UserMistake("--format", f"{form!r} is none", "Write jsonl or cloudevents.")
    if as_json and output is None:
        raise UserMistake("--json", "would stand among the lines", "Add -o FILE.")
    lines = list(export_audit(open_project(project, say=say), form))  # type: ignore[arg-type]
    if output is not None:
        _write(output, "".join(lines))
    file = None if output is None else str(output)
    done = f"Wrote {len(lines)} lines to {output}."
    show(
        as_json,
        {"lines": len(lines), "format": form, "file": file},
        done if file else "".join(lines).rstrip(),
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())


def _why(details: dict[str, Any]) -> str:
    """The reason, if one was given, else the facts."""
    found = str(details.get("reason") or details.get("note") or "")
    if not found:
        plain = {name: value for name, value in details.items() if isinstance(value, str | int | float)}
        found = ", ".join(f"{name} {str(value)[:16]}" for name, value in plain.items() if value != "")
    return found if len(found) <= _LONGEST_CELL else f"{found[: _LONGEST_CELL - 4]} ..."


def register(app: typer.Typer) -> None:
    """Adds the verb and what can be done with the log."""
    group = typer.Typer(rich_markup_mode="markdown")
    group.callback(invoke_without_command=True)(audit)
    group.command("verify", epilog="Example: vitok audit verify --checkpoint kept.json")(verify)
    group.command("checkpoint", epilog="Example: vitok audit checkpoint -o kept.json")(checkpoint)
    group.command("export", epilog="Example: vitok audit export --format cloudevents -o audit.jsonl")(export)
    app.add_typer(group, name="audit", epilog="Example: vitok audit --actor ada --since 2026-11-01")
