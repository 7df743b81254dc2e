"""`vitok alerts`: what watching found, and what people do about it."""

from typing import Annotated, Any

import typer

from vitok.cli.acting import acting
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.kernel.clock import parse_duration
from vitok.loop.alerts import acknowledge, close_alert, list_alerts, show_alert, snooze
from vitok.wire import open_project

_LONGEST_CELL = 90
_Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="The alert: its id, or four or more characters of its begin or end."),
]
_Note = Annotated[str, typer.Option("--note", help="What there is to say about it.")]
_Who = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who does it; default: you.")]


def alerts(
    context: typer.Context,
    ended: Annotated[bool, typer.Option("--all", help="Also those that ended.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Lists the open alerts, the newest first; with a verb behind it: looks at one, or does something about it."""
    if context.invoked_subcommand is not None:
        return
    payload = list_alerts(open_project(project, say=say), ended=ended)
    rows = [
        [a["short"], a["severity"], a["kind"], a["since"][:16], _state(a), _cut(a["sentence"])]
        for a in payload["alerts"]
    ]
    nothing = "There has been no alert yet." if ended else "No alert is open."
    show(
        as_json,
        payload,
        table(rows, ["id", "severity", "kind", "since", "state", "what"]) if rows else nothing,
    )


def show_one(alert: _Id, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Shows one alert: what, since when, what to do, who did what about it, and who was told."""
    payload = show_alert(open_project(project, say=say), alert)
    show(as_json, payload, render(payload))


def ack(
    alert: _Id,
    note: _Note = "",
    who: _Who = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Says that somebody looks after an alert: nobody is reminded of it any more."""
    opened = open_project(project, say=say)
    payload = acknowledge(opened, alert, note=note, actor=acting(opened, who, "operate"))
    show(as_json, payload, f"{payload['id']}: acknowledged by {payload['acknowledged_by']}.")


def snooze_one(
    alert: _Id,
    duration: Annotated[str, typer.Option("--for", metavar="DURATION", help="For how long, such as 3d.")],
    note: _Note = "",
    who: _Who = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Keeps reminders of an alert silent for a time."""
    length = parse_duration(duration, "--for")
    opened = open_project(project, say=say)
    payload = snooze(opened, alert, duration=length, note=note, actor=acting(opened, who, "operate"))
    show(as_json, payload, f"{payload['id']}: no reminder until {payload['snoozed'][:16]}.")


def resolve(
    alert: _Id,
    note: Annotated[str, typer.Option("--note", help="Why it is over.")],
    who: _Who = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Ends an alert by hand."""
    opened = open_project(project, say=say)
    payload = close_alert(opened, alert, note=note, actor=acting(opened, who, "operate"))
    show(as_json, payload, f"{payload['id']}: closed by {payload['closed_by']}.")


def render(payload: dict[str, Any]) -> str:
    """An alert for people."""
    lines = [
        f"{payload['severity']} ({payload['kind']}) {payload['id']}: {_state(payload)}",
        f"since {payload['since'][:16]}, noticed {payload['opened'][:16]}",
        payload["sentence"],
        payload["remedy"],
    ]
    if payload["note"]:
        lines.append(f"note: {payload['note']}")
    for each in payload["told"]:
        problem = f" ({each['error']})" if each["error"] else ""
        lines.append(f"told {each['time'][:16]} {each['url']}: {each['state']}{problem}")
    return "\n".join(lines)


def _state(alert: dict[str, Any]) -> str:
    if alert["state"] == "acknowledged":
        return f"acknowledged by {alert['acknowledged_by']}"
    if alert["state"] == "snoozed":
        return f"snoozed until {alert['snoozed'][:16]}"
    if alert["state"] == "resolved":
        by = f" by {alert['closed_by']}" if alert["closed_by"] else ""
        return f"ended {alert['resolved'][:16]}{by}"
    return str(alert["state"])


def state_of(alert: dict[str, Any]) -> str:
    """What people did about an open alert, in brackets; nothing if nobody did anything."""
    return "" if alert["state"] == "open" else f" ({_state(alert)})"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 4]} ..."


def register(app: typer.Typer) -> None:
    """Adds the verb and what can be done about alerts."""
    group = typer.Typer(rich_markup_mode="markdown")
    group.callback(invoke_without_command=True)(alerts)
    group.command("show", epilog="Example: vitok alerts show 7qk2mz")(show_one)
    group.command("ack", epilog='Example: vitok alerts ack 7qk2mz --note "asked the weather feed"')(ack)
    group.command("snooze", epilog="Example: vitok alerts snooze 7qk2mz --for 3d")(snooze_one)
    group.command("resolve", epilog='Example: vitok alerts resolve 7qk2mz --note "feed is back"')(resolve)
    app.add_typer(group, name="alerts", epilog="Example: vitok alerts --all")
