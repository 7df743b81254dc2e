"""`vitok releases`: what was in production and when, and how each version got there."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.cli import releases_by_hand
from vitok.cli.charts import PlotOption, require_plot, write_chart
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.errors import UserMistake
from vitok.journal.ledger import StillLedger
from vitok.loop.keep import collect
from vitok.loop.project import Project
from vitok.loop.propose import Asked, propose_rollout
from vitok.loop.release_picture import release_picture, release_story, story_json
from vitok.loop.released import list_releases
from vitok.loop.rollout_picture import rollout_picture
from vitok.loop.rollout_story import rollout_json
from vitok.registry import rollouts
from vitok.registry.releases import Release
from vitok.registry.releases import get as get_release
from vitok.registry.rollouts import Rollout
from vitok.wire import open_project


def releases(context: typer.Context, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Lists all plans that were in force and all roll-outs, with their states."""
    if context.invoked_subcommand is not None:
        return
    payload = list_releases(open_project(project, say=say))
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
    number: Annotated[int | None, typer.Argument(help="Number of a roll-out.")] = None,
    epoch: Annotated[
        int | None, typer.Option(help="Epoch of a release instead, of one that no roll-out made too.")
    ] = None,
    plot: PlotOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Tells each step of a roll-out with its evidence made anew from the journal, or of a release with its verdict."""
    require_plot(plot)
    if (number is None) == (epoch is None):
        raise UserMistake(
            "releases show", "needs the number of a roll-out, or --epoch", "`vitok releases` lists both."
        )
    opened = open_project(project, say=say)
    collect(opened)
    with opened.engine.connect() as connection:
        release = None if epoch is None else get_release(connection, epoch)
        if release is not None and "rollout" in release.evidence:
            number = release.evidence["rollout"]
        found = None if number is None else rollouts.get(connection, number)
    if found is not None:
        _show_rollout(opened, found, plot, as_json=as_json)
    elif release is not None:
        _show_release(opened, release, plot, as_json=as_json)


def _show_release(opened: Project, release: Release, plot: Path | None, *, as_json: bool) -> None:
    story = release_story(opened, release)
    payload = story_json(release, story)
    if plot is not None:
        write_chart(release_picture(release, story), plot)
        payload["plot"] = str(plot)
    show(as_json, payload, _release_told(payload))


def _release_told(payload: dict[str, Any]) -> str:
    lines = [
        f"Release of epoch {payload['epoch']}: version {payload['version']}, {payload['strategy']}, "
        f"{payload['state']}",
        payload["sentence"],
        *(f"    {gate['state']}: {gate['reason']}" for gate in payload["gates"]),
        *(f"{event['time'][:16]}  {event['state']}: {event['reason']}" for event in payload["events"]),
    ]
    return "\n".join(lines)


def _show_rollout(opened: Project, found: Rollout, plot: Path | None, *, as_json: bool) -> None:
    journal = StillLedger(opened.lake)  # each step, and each point of a picture, looks at the same rows
    payload = rollout_json(opened, journal, found)
    if plot is not None:
        write_chart(rollout_picture(opened, journal, found), plot)
        payload["plot"] = str(plot)
    show(as_json, payload, _told(payload))


def propose(
    rollback_cost: Annotated[float, typer.Option(help="Money that a false rollback costs.")],
    error_cost: Annotated[
        float | None, typer.Option(help="Money that one failure costs. Default: release.exposure.per_answer.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="The champion's failure rate, such as 1%. Default: of the last 30 days."),
    ] = None,
    bad: Annotated[str, typer.Option(help="A bad version's rate over it.")] = "2x",
    chance: Annotated[str, typer.Option(help="Chance that a version is bad.")] = "10%",
    traffic: Annotated[float | None, typer.Option(help="Units a day. Default: of the last 30 days.")] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Proposes the first share and alpha of a canary by what errors and false rollbacks cost."""
    opened = open_project(project, say=say)
    asked = Asked(
        rollback_cost,
        error_cost,
        None if base is None else _figure(base, "--base", "%", 0.01),
        _figure(bad, "--bad", "x", 1.0),
        _figure(chance, "--chance", "%", 0.01),
        traffic,
    )
    payload = propose_rollout(opened, asked)
    show(as_json, payload, _offers(payload))


def _figure(text: str, option: str, unit: str, scale: float) -> float:
    """A number, or one with its unit."""
    number = text.strip().removesuffix(unit)
    try:
        return float(number) * (scale if number != text.strip() else 1.0)
    except ValueError as error:
        raise UserMistake(f"{option} {text}", "is no figure", f"Write a number, such as 2{unit}.") from error


def _offers(payload: dict[str, Any]) -> str:
    """The cheapest that find a bad version in time; if there are none, those that find it oftenest."""
    good = [offer for offer in payload["offers"] if offer["in_time"]]
    shown = good or sorted(payload["offers"], key=lambda offer: -offer["finds"])
    rows = [
        [
            f"{offer['share']:.0%}",
            offer["alpha"],
            f"{offer['finds']:.0%}",
            f"{offer['requests']:,.0f}",
            f"{offer['harm']:,.0f}",
            f"{offer['false_rollback']:.1%}",
            f"{offer['cost']:,.1f}",
        ]
        for offer in shown[:8]
    ]
    names = ["first share", "alpha", "found", "after requests", "harm", "false rollback", "cost on average"]
    return f"{table(rows, names)}\n\n{payload['sentence']}"


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
    group.command("show", epilog="Example: vitok releases show 1 --plot roll-out.png")(show_rollout)
    group.command("propose", epilog="Example: vitok releases propose --error-cost 60 --rollback-cost 2000")(
        propose
    )
    releases_by_hand.register(group)
    app.add_typer(group, name="releases", epilog="Example: vitok releases --json")
