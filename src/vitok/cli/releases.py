"""`vitok releases`: what was in production and when, and how each version got there."""

from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.journal.ledger import Ledger
from vitok.loop.keep import collect
from vitok.loop.release import release_json
from vitok.loop.rollout import rollout_json
from vitok.registry import rollouts
from vitok.registry.releases import all_releases
from vitok.wire import open_project


def releases(context: typer.Context, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Lists all plans that were in force and all roll-outs, with their states."""
    if context.invoked_subcommand is not None:
        return
    opened = open_project(project, say=say)
    with opened.engine.connect() as connection:
        found = [release_json(release) for release in all_releases(connection)]
        ways = rollouts.all_rollouts(connection)
    told = [rollout_json(opened, None, each) for each in ways]
    payload = {
        "releases": found,
        "rollouts": [{k: v for k, v in each.items() if k not in ("steps", "now")} for each in told],
    }
    show(as_json, payload, _list(payload))


def _list(payload: dict[str, Any]) -> str:
    if not payload["releases"]:
        return "Nothing has been released yet."
    rows = [
        [r["epoch"], r["version"], r["strategy"], r["state"], r["created"], r["actor"]]
        for r in payload["releases"]
    ]
    lines = [table(rows, ["epoch", "version", "strategy", "state", "created", "by"])]
    if payload["rollouts"]:
        rows = [
            [
                r["rollout"],
                r["version"],
                r["champion"],
                r["strategy"],
                r["state"],
                f"{r['share']:.0%}",
                r["started"],
            ]
            for r in payload["rollouts"]
        ]
        names = ["roll-out", "version", "against", "strategy", "state", "share", "started"]
        lines += ["", table(rows, names)]
    return "\n".join(lines)


def show_rollout(
    number: Annotated[int, typer.Argument(help="Number of a roll-out.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Tells each step of a roll-out with its evidence, and makes the evidence anew from the journal."""
    opened = open_project(project, say=say)
    collect(opened)
    with opened.engine.connect() as connection:
        found = rollouts.get(connection, number)
    payload = rollout_json(opened, Ledger(opened.lake), found)
    show(as_json, payload, _told(payload))


def _told(payload: dict[str, Any]) -> str:
    head = (
        f"Roll-out {payload['rollout']}: version {payload['version']} against {payload['champion']}, "
        f"{payload['strategy']}, {payload['state']}"
    )
    lines = [head]
    for step in payload["steps"]:
        lines.append(
            f"{step['time'][:16]}  {step['to']} ({step['share']:.0%}) by {step['actor']}: {step['reason']}"
        )
        lines += [f"    {finding['sentence']}" for finding in step["findings"] if finding["guard"] != "split"]
        if step["reproduced"] is not None:
            again = "the same evidence" if step["reproduced"] else "OTHER evidence: rows came or went since"
            lines.append(f"    made anew from the journal: {again}")
    if payload["now"]:
        lines.append("now")
        lines += [f"    {finding['sentence']}" for finding in payload["now"] if finding["guard"] != "split"]
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    """Adds the verb with its parts."""
    group = typer.Typer(invoke_without_command=True, rich_markup_mode="markdown")
    group.callback(epilog="Example: vitok releases --json")(releases)
    group.command("show", epilog="Example: vitok releases show 1")(show_rollout)
    app.add_typer(group, name="releases", epilog="Example: vitok releases --json")
