"""`vitok replay`: a year of production in minutes."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.cli.charts import PlotOption, require_plot, write_chart
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.kernel.clock import parse_duration, parse_time
from vitok.loop.replay import compare_policies
from vitok.report.replay_chart import replay_chart
from vitok.wire import open_project


def replay(
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="never, daily, weekly, monthly, on-alert, charter, every(30d), on(EXPRESSION); joined by + with "
            "window(90d), cooldown(7d), approvals(2d), labels(3d). Repeat to compare."
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Default: where the champion's data ends.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Default: the end of the data.")
    ] = None,
    step: Annotated[
        str | None, typer.Option(metavar="D", help="How often the loop looks. Default: the charter's window.")
    ] = None,
    inject: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULT@TIME",
            help="Of the data: missing(COL), scale(COL,FACTOR), value(COL,TEXT), no_labels. Of a new version: good, "
            "slow(2x), failing(5%), wrong(CONDITION), worse(10%). Of all traffic: incident(20%,12h), bursts(1%), "
            "split(12%).",
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep what the one policy lived through, as a project to look at."),
    ] = None,
    plot: PlotOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Replays production over the project's history under one or more retraining policies; changes nothing.

    Policies run beside each other, one for each core, and what one has fitted another need not fit again.
    """
    require_plot(plot)
    opened = open_project(project, say=say)
    payload = compare_policies(
        opened,
        policy or ["never", "charter"],
        start=None if start is None else parse_time(start, "--from"),
        end=None if end is None else parse_time(end, "--to"),
        step=None if step is None else parse_duration(step, "--step"),
        inject=inject or (),
        reopen=open_project,
        keep=keep,
    )
    if plot is not None:
        write_chart(replay_chart(payload), plot)
    show(as_json, payload, render(payload))


def render(payload: dict[str, Any]) -> str:
    """Policies beside each other, and how their roll-outs ended."""
    lines = [compare(payload)]
    for policy in payload["policies"]:
        ends = [how_it_ended(event) for event in policy["events"] if has_ended(event)]
        lines += ["", f"Roll-outs of {policy['name']}:", *ends] if ends else []
    if payload["advice"] is not None:
        lines += ["", payload["advice"]["sentence"]]
    return "\n".join(lines)


def compare(payload: dict[str, Any]) -> str:
    """Policies beside each other, a line for each period."""
    metric, policies = payload["metric"], payload["policies"]
    starts = sorted({window["start"] for policy in policies for window in policy["windows"]})
    rows: list[list[Any]] = []
    for start in starts:
        cells = [_at(policy, start, metric) for policy in policies]
        rows.append([start[:10], *cells])
    rows.append(["mean", *(policy["mean"].get(metric) for policy in policies)])
    has_rollouts = any(has_ended(event) for policy in policies for event in policy["events"])
    ends = (("rolled back", "rollbacks"), ("inconclusive", "inconclusive")) if has_rollouts else ()
    for label, key in (
        ("turns", "turns"),
        ("promoted", "promotions"),
        *ends,
        ("refused", "refusals"),
        ("failed", "failures"),
        ("alerts", "alerts"),
        ("time at risk", "at_risk"),
        ("value", "value"),
    ):
        rows.append([label, *(_told(key, policy[key]) for policy in policies)])
    return table(rows, [metric, *(policy["name"] for policy in policies)])


def has_ended(event: dict[str, Any]) -> bool:
    """Whether an event is the end of a roll-out, or of the replay while one went on."""
    return "rollout" in event and event["event"] != "releasing"


def how_it_ended(event: dict[str, Any]) -> str:
    """One line on the end of a roll-out, with how long it took."""
    answers = "" if event["answers"] is None else f" and {event['answers']:,} answers"
    length = f"after {event['hours']:g} h{answers}"
    return f"  {event['time'][:10]}  version {event['version']} {event['event']} {length}: {event['reason']}"


def _told(key: str, value: Any) -> Any:
    if value is None or key not in ("value", "at_risk"):
        return value
    return f"{value:,.0f}" if key == "value" else f"{value:.0%}"


def _at(policy: dict[str, Any], start: str, metric: str) -> float | None:
    found = next((w["metrics"].get(metric) for w in policy["windows"] if w["start"] == start), None)
    return None if found is None else found["value"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok replay --policy never --policy monthly --from 2013-03-01")(replay)
