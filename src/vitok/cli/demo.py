"""`vitok demo`: the mission in small, on real flights."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.cli.output import JsonOption, say, show
from vitok.cli.replay import compare
from vitok.errors import UserMistake
from vitok.govern.people import local_user
from vitok.loop.demo import NEW_YEAR, run_demo
from vitok.wire import Settings, open_project

_LONGEST = 150


def demo(
    project: Annotated[Path, typer.Option("--project", help="New folder for the example.")] = Path(
        "demo-flights"
    ),
    as_json: JsonOption = False,
) -> None:
    """Turns the whole coil on real flights: check, run, approve, release, choose a policy, live through the year."""
    if Settings().database_url is not None:
        what = "names one database, and the demo makes two projects"
        raise UserMistake("VITOK_DATABASE_URL", what, "Unset it for the demo.")
    payload = run_demo(project, open_project, say, local_user())
    show(as_json, payload, summary(payload))


def summary(payload: dict[str, Any]) -> str:
    """What a product owner wants to know."""
    first, (never, monthly) = payload["first"], payload["policies"]
    metric, lived, ready = payload["metric"], payload["lived"], payload["maturity"]
    (agreed,) = payload["approval"]["approvals"]
    lines = [
        "",
        f"Goal: {payload['goal']}.",
        "",
        f"January and February: {first['data']['rows']:,} flights gave version {first['version']}. It "
        f"passed {len(first['gates'])} gates of the charter, and {agreed['by']} agreed to its release.",
        f"March to December: {monthly['rows']:,} flights were predicted at scheduled "
        "departure; each label came when the flight landed.",
        "",
        compare(payload),
        "",
        *_faded(never, metric),
        payload["advice"]["sentence"],
        "",
        "The year by the charter, with nobody at the keyboard:",
        *(
            f"  {event['time'][:10]}  {event['event']:11}  {_short(event)}"
            for event in _told(lived["events"])
        ),
        f"  {len(lived['alert_list'])} alerts: " + "; ".join(_alert(alert) for alert in lived["alert_list"]),
        "",
        f"Version {payload['reproduced']['version']} was made again: {payload['reproduced']['sentence']}.",
        f"ML Test Score {ready['score']:g} of 7: {ready['meaning']}.",
        *(f"  open: {step['test']}: {step['remedy']}" for step in ready["next"]),
    ]
    folder, year = payload["project"], payload["year"]
    lines += [
        "",
        f"It took {payload['seconds']['all']:.0f} s. The project is in {folder}, the year that it lived in {year}:",
        f"  vitok up --project {folder}             predictions and pages at http://127.0.0.1:8000",
        f"  vitok card {first['version']} --project {folder}         the model's card",
        f"  vitok pages --project {year} --at {NEW_YEAR:%Y-%m-%d}    the pages of that year, as it ended",
        f"  vitok status --project {year}    where it ended; also turns, releases, alerts, maturity",
    ]
    return "\n".join(lines)


def _faded(never: dict[str, Any], metric: str) -> list[str]:
    worst = min(never["windows"], key=lambda window: window["metrics"][metric]["value"])
    begin = never["windows"][0]["metrics"][metric]["value"]
    end = worst["metrics"][metric]["value"]
    return [f"Left alone, the model fades from {metric} {begin:.3f} to {end:.3f} ({worst['start'][:7]})."]


def _told(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] != "releasing"]


def _alert(alert: dict[str, Any]) -> str:
    return f"{alert['opened'][:10]} {alert['severity']} on {alert['kind']} ({', '.join(alert['what'][:3])})"


def _short(event: dict[str, Any]) -> str:
    if event["event"] == "promoted":
        days = f", {event['hours'] / 24:.0f} days after its first flights" if "rollout" in event else ""
        return f"version {event['version']}{days}"
    reason = str(event["reason"])
    return reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 4]} ..."


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok demo --project demo-flights")(demo)
