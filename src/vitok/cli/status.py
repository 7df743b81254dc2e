"""`vitok status`: where the project stands."""

from typing import Any

import typer

from vitok.charter.review import main_metric
from vitok.cli.alerts import state_of
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show
from vitok.loop.status import project_status
from vitok.wire import open_project


def status(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Shows champion, roll-out, last turn, last window, and open alerts."""
    opened = open_project(project, say=say)
    payload = project_status(opened)
    show(as_json, payload, render(payload, main_metric(opened.charter)))


def render(payload: dict[str, Any], metric: str) -> str:
    """The state for people."""
    champion, turn, window = (
        payload["champion"],
        payload["last_turn"],
        payload["last_final_window"] or payload["last_window"],
    )
    lines = [f"{payload['project']}: {payload['goal']} ({payload['task']})"]
    if champion is None:
        lines.append("Champion: none; release an accepted version with `vitok release VERSION`.")
    else:
        lines.append(
            f"Champion: version {champion['version']} ({champion['algorithm']}), accepted with {metric} "
            f"{champion['metrics'].get(metric, float('nan')):.4g}, since {champion['created'][:16]}"
        )
    if payload["rollout"] is not None:
        way = payload["rollout"]
        lines.append(
            f"Roll-out {way['rollout']}: version {way['version']}, {way['strategy']}, {way['state']} at "
            f"{way['share']:.0%} since {way['since'][:16]}"
        )
    if turn is not None:
        lines.append(
            f"Last turn: {turn['state']} ({turn['message'] or turn['stage']}), started "
            f"{turn['started'][:16]} {turn['trigger']}"
        )
    if window is not None:
        quality = window["quality"].get(metric)
        shown = "" if quality is None else f", {metric} {quality:.4g}"
        lines.append(
            f"Last window: {window['start'][:16]}, {window['rows']} predictions, "
            f"{window['labelled']} labels, {window['state']}{shown}"
        )
    lines += [
        f"{alert['severity'].upper()}{state_of(alert)}: {alert['sentence']} {alert['remedy']}"
        for alert in payload["alerts"]
    ]
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok status --project flights")(status)
