"""`vitok demo`: the mission in small, on real flights."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.cli.output import JsonOption, actor, say, show
from vitok.cli.replay import compare, has_ended
from vitok.loop.demo import run_demo
from vitok.wire import open_project


def demo(
    project: Annotated[Path, typer.Option("--project", help="New folder for the example.")] = Path(
        "demo-flights"
    ),
    as_json: JsonOption = False,
) -> None:
    """Turns the whole coil on real flights: check, run, release, ten months under two policies, two canaries."""
    payload = run_demo(project, open_project, say, actor())
    show(as_json, payload, summary(payload))


def summary(payload: dict[str, Any]) -> str:
    """What a product owner wants to know."""
    first, (never, monthly) = payload["first"], payload["policies"]
    metric = payload["metric"]
    months = [
        (a["metrics"][metric]["value"], b["metrics"][metric]["value"])
        for a, b in list(zip(never["windows"], monthly["windows"], strict=True))[1:]
    ]
    gain = sum(b - a for a, b in months) / len(months)
    worst = min(never["windows"], key=lambda window: window["metrics"][metric]["value"])
    lines = [
        "",
        f"Goal: {payload['goal']}.",
        "",
        f"January and February: {first['data']['rows']:,} flights gave version {first['version']}. It "
        f"passed {len(first['gates'])} gates of the charter and was released.",
        f"March to December: {monthly['rows']:,} flights were predicted at scheduled "
        "departure; each label came when the flight landed.",
        "",
        compare(payload),
        "",
        f"Left alone, the model fades from {metric} "
        f"{never['windows'][0]['metrics'][metric]['value']:.3f} to "
        f"{worst['metrics'][metric]['value']:.3f} ({worst['start'][:7]}).",
        f"Retrained monthly it is better by {gain:+.3f} on average from April, and earns "
        f"{monthly['value'] - never['value']:+,.0f} by the charter's costs.",
        f"{monthly['promotions']} refits were promoted, {monthly['refusals']} refused by the gates:",
    ]
    told = [event for event in monthly["events"] if event["event"] != "releasing"]
    lines += [f"  {event['time'][:10]}  {event['event']:8}  {_short(event)}" for event in told]
    lines += ["", *_tried(payload["releases"]["events"])]
    folder = payload["project"]
    lines += [
        "",
        f"It took {payload['seconds']['all']:.0f} s. The project is in {folder}:",
        f"  vitok up --project {folder}             predictions and dashboard at http://127.0.0.1:8000",
        f"  vitok card {first['version']} --project {folder}         the model's card",
        f"  vitok status --project {folder}         where it stands",
    ]
    return "\n".join(lines)


def _short(event: dict[str, Any]) -> str:
    if event["event"] != "promoted":
        return str(event["reason"])
    days = f", {event['hours'] / 24:.0f} days after its first flights" if "rollout" in event else ""
    return f"version {event['version']}{days}"


def _tried(events: list[dict[str, Any]]) -> list[str]:
    """How the roll-outs of injected versions ended."""
    why = {event["version"]: event["trigger"] for event in events if event["trigger"] is not None}
    lines = [
        "Two new versions tried in March, each by the charter's canary (10 %, then half of the flights):"
    ]
    for event in filter(has_ended, events):
        answers = "" if event["answers"] is None else f" and {event['answers']:,} answers"
        lines.append(f"  {why[event['version']]}: {event['event']} after {event['hours']:g} h{answers}")
        lines += [f"    {found}" for found in event["reason"].split("; ")]
    return lines


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok demo --project demo-flights")(demo)
