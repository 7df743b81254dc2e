"""`vitok watch`: judge what production did."""

import os
import signal
import threading
from typing import Annotated, Any

import typer

from vitok.charter.review import main_metric
from vitok.cli.alerts import state_of
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.loop.alerts import list_alerts
from vitok.loop.keep import keep, watch_once
from vitok.wire import open_project

_PARENT_SECONDS = 1.0


def watch(
    once: Annotated[bool, typer.Option("--once", help="Look once, start no turn, and end.")] = False,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when the process that started it ends.")
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Collects the journal, judges closed windows, raises alerts; without --once it goes on and starts due turns."""
    if not once:
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        if with_parent:
            threading.Thread(target=_end_with, args=(os.getppid(), stop), daemon=True).start()
        keep(lambda: open_project(project, say=say), stop)
        return
    opened = open_project(project, say=say)
    payload = watch_once(opened).as_json()
    handled = {alert["id"]: alert for alert in list_alerts(opened)["alerts"]}
    for alert in payload["alerts"]:
        did = handled.get(alert["id"], {"state": "open", "acknowledged_by": None, "snoozed": None})
        alert |= {name: did[name] for name in ("state", "acknowledged_by", "snoozed")}
    show(as_json, payload, render(payload, main_metric(opened.charter)))


def _end_with(parent: int, stop: threading.Event) -> None:
    while not stop.wait(_PARENT_SECONDS):
        if os.getppid() != parent:
            stop.set()


def render(payload: dict[str, Any], metric: str) -> str:
    """A look for people."""
    if not payload["windows"] and not payload["alerts"]:
        return "No window closed or matured since the last look."
    rows = [
        [
            w["start"][:16],
            w["state"],
            w["rows"],
            w["labelled"],
            w["version"],
            w["quality"].get(metric, {}).get("value"),
        ]
        for w in payload["windows"]
    ]
    lines = [table(rows, ["window", "state", "rows", "labelled", "version", metric])] if rows else []
    for alert in payload["alerts"]:
        lines.append(
            f"{'NEW ' if alert['new'] else ''}{alert['severity']} ({alert['kind']}){state_of(alert)} since "
            f"{alert['since'][:16]}: {alert['sentence']} {alert['remedy']}"
        )
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok watch --once --json")(watch)
