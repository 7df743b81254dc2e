"""`vitok run`: one turn of the coil."""

from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.errors import UserMistake
from vitok.govern.people import local_user
from vitok.kernel.clock import parse_time
from vitok.loop.turn import run_turn
from vitok.wire import open_project


def run(
    project: ProjectOption = HERE,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="TIME", help="Use only what was known by then.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="No search for parameters.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="While another turn of the project runs: wait for it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Runs one turn, from the snapshot to the verdict. Exit code 3 if the verdict is *refused*."""
    moment = None if as_of is None else parse_time(as_of, "--as-of")
    opened = open_project(project, say=say)
    if moment is not None and opened.charter.task.time is None:
        what = "needs task.time: without it nobody knows which rows were there by then"
        raise UserMistake("--as-of", what, "Leave it out, or name the time column in the charter.")
    result = run_turn(opened, as_of=moment, quick=quick, actor=local_user(), wait=wait)
    payload = result.as_json()
    show(as_json, payload, render(payload))
    if not result.accepted:
        raise typer.Exit(3)


def render(payload: dict[str, Any]) -> str:
    """The turn for people."""
    rows = [
        ["passed" if g["passed"] else "waits" if g["waits_for"] else "FAILED", g["name"], g["reason"]]
        for g in payload["gates"]
    ]
    lines = [table(rows, ["gate", "rule", "why"]), ""]
    lines += [f"note: {warning}" for warning in payload["warnings"]]
    lines += [f"revised after seeing a result: {sentence}" for sentence in payload["revised"]]
    version, seconds = payload["version"], sum(payload["seconds"].values())
    by = f"by charter {payload['charter']}"
    lines.append(f"Version {version}: {payload['verdict'].upper()} {by} in {seconds:.0f} s.")
    if payload["verdict"] == "accepted":
        lines.append(f"Next: vitok card {version}, vitok release {version}")
    elif payload["verdict"] == "waiting":
        asked = sorted({gate["waits_for"] for gate in payload["gates"] if gate["waits_for"]})
        lines.append(f"It waits for {', '.join(asked)}. Next: vitok approvals, vitok approve ID")
    else:
        lines.append("The champion stays. A refused version cannot be released.")
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok run --as-of 2013-03-01")(run)
