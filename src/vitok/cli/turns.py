"""`vitok turns`: every pass of the loop, its time line, and going on with one that was cut off."""

from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.cli.run import render as render_result
from vitok.govern.people import local_user
from vitok.journal.ledger import Ledger
from vitok.kernel.clock import parse_time
from vitok.loop.deciding import list_decisions
from vitok.loop.reproduce import reproduce
from vitok.loop.tick import work as take_turn
from vitok.loop.turns import cancel_turn, list_turns, resume_turn, show_turn
from vitok.wire import open_project

_LONGEST_CELL = 70
_Turn = Annotated[str, typer.Argument(metavar="N", help="Number or id of the turn.")]


def turns(
    context: typer.Context,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Lists all turns, the newest first; with a verb behind it: looks at one, ends one, or goes on with one."""
    if context.invoked_subcommand is not None:
        return
    payload = list_turns(open_project(project, say=say))
    rows = [
        [t["number"], t["started"][:16], _length(t), t["state"], t["stage"], t["version"], _cut(t["trigger"])]
        for t in payload["turns"]
    ]
    header = ["turn", "started", "took", "state", "stage", "version", "trigger"]
    show(as_json, payload, table(rows, header) if rows else "No turn has run yet: vitok run")


def show_one(turn: _Turn, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Shows one turn: each step with its times, tries and outputs, and what it said."""
    payload = show_turn(open_project(project, say=say), turn)
    show(as_json, payload, render(payload))


def resume(turn: _Turn, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Goes on with a turn that was cut off, cancelled, or failed; steps that are done are not done again."""
    result = resume_turn(open_project(project, say=say), turn, actor=local_user())
    payload = result.as_json()
    show(as_json, payload, render_result(payload))
    if not result.accepted:
        raise typer.Exit(3)


def cancel(turn: _Turn, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Ends a turn before its next step or trial; nothing is registered, and it can be gone on with."""
    payload = cancel_turn(open_project(project, say=say), turn, actor=local_user())
    ended = payload["state"] == "cancelled"
    text = "is cancelled" if ended else "ends before its next step or trial"
    show(
        as_json,
        payload,
        f"Turn {payload['number']} {text}. Go on with it: vitok turns resume {payload['number']}",
    )


def reproduce_one(
    version: Annotated[
        int | None, typer.Argument(metavar="VERSION", help="Default: the version in production.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Makes a version again from its own data, code and parameters; exit code 3 if it comes out otherwise."""
    payload = reproduce(open_project(project, say=say), version, actor=local_user())
    text = "the same" if payload["same"] else "NOT the same"
    show(as_json, payload, f"Version {payload['version']} made again is {text}: {payload['sentence']}.")
    if not payload["same"]:
        raise typer.Exit(3)


def decisions(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Lists why turns started by themselves, or did not although something asked for one, the newest first."""
    payload = list_decisions(open_project(project, say=say))
    rows = [
        [d["time"][:16], "started" if d["started"] else "held back", d["looks"], d["reason"]]
        for d in payload["decisions"]
    ]
    header = ["time", "decision", "looks", "why"]
    show(as_json, payload, table(rows, header) if rows else "Nothing has asked for a turn yet.")


def work(
    decision: Annotated[
        str | None, typer.Option(metavar="ID", help="The decision to start a turn, as the keeper noted it.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Takes one turn: goes on with one that was cut off, or starts the oldest that was asked for by the API.

    This is how `vitok up` takes turns, beside its keeper.
    """
    opened = open_project(project, say=say)
    done = take_turn(opened, Ledger(opened.lake), decision)
    show(as_json, {"done": done}, done)


def render(payload: dict[str, Any]) -> str:
    """The time line for people."""
    lines = [
        f"Turn {payload['number']} ({payload['turn']}): {payload['state']}",
        f"Started {payload['started'][:19]} by {payload['actor'] or '-'}: {payload['trigger']}",
        f"As of {payload['as_of'][:19]}, charter {payload['charter'][:12]}",
    ]
    lines += [payload["message"]] if payload["message"] else []
    rows = [
        [s["name"], s["started"][11:19], _took(s), s["attempts"], s["message"] or _outputs(s["outputs"])]
        for s in payload["steps"]
    ]
    if rows:
        lines += ["", table(rows, ["step", "began", "seconds", "tries", "what came out"])]
    if payload["log"]:
        lines += [
            "",
            "What it said:",
            *(f"  {line[:19]} {line.partition(' ')[2]}" for line in payload["log"]),
        ]
    return "\n".join(lines)


def _took(step: dict[str, Any]) -> str:
    if step["ended"] is None:
        return "-"
    return f"{(parse_time(step['ended']) - parse_time(step['started'])).total_seconds():.1f}"


def _length(turn: dict[str, Any]) -> str:
    return f"{sum(turn['seconds'].values()):.0f} s" if turn["seconds"] else "-"


def _outputs(outputs: dict[str, Any]) -> str:
    """The outputs that can be told in a few words."""
    words = []
    for name, value in outputs.items():
        if name == "fitted":
            words += [f"{each['name']} {each['metric']} {each['validation']:.4f}" for each in value]
        elif isinstance(value, str | int | float) and value != "":
            words.append(f"{name} {value[:12] if isinstance(value, str) else value}")
    return _cut(", ".join(words))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 4]} ..."


def register(app: typer.Typer) -> None:
    """Adds the verb and what can be done with turns."""
    group = typer.Typer(rich_markup_mode="markdown")
    group.callback(invoke_without_command=True)(turns)
    group.command("show", epilog="Example: vitok turns show 3")(show_one)
    group.command("resume", epilog="Example: vitok turns resume 3")(resume)
    group.command("cancel", epilog="Example: vitok turns cancel 3")(cancel)
    group.command("work", epilog="Example: vitok turns work")(work)
    group.command("reproduce", epilog="Example: vitok turns reproduce 2")(reproduce_one)
    group.command("decisions", epilog="Example: vitok turns decisions")(decisions)
    app.add_typer(group, name="turns", epilog="Example: vitok turns show 3")
