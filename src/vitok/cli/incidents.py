"""`vitok incidents`: trouble on record, from the first alarm to the last action."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.charter.incidents import SEVERITIES
from vitok.cli.acting import acting
from vitok.cli.operations import length, mean_times
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.errors import UserMistake, did_you_mean
from vitok.journal.ledger import Ledger
from vitok.kernel.clock import parse_time
from vitok.loop.incident_acts import (
    add_action,
    close_incident,
    finish_action,
    list_incidents,
    note_incident,
    open_incident,
    show_incident,
)
from vitok.loop.postmortem import post_mortem
from vitok.report.postmortem import post_mortem_markdown
from vitok.store.blobs import write_atomically
from vitok.wire import open_project

_LONGEST_CELL = 90
_Number = Annotated[int, typer.Argument(metavar="N", help="Number of the incident.", min=1, max=2**31)]
_Who = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who does it; default: you.")]


def incidents(
    context: typer.Context,
    closed: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Lists the incidents that are not closed, the newest first, and actions that are to be done; with a verb behind
    it: looks at one, or does something about it."""
    if context.invoked_subcommand is not None:
        return
    payload = list_incidents(open_project(project, say=say), closed=closed)
    rows = [
        [i["number"], i["severity"], i["state"], i["began"][:16], _over(i), _cut(i["title"])]
        for i in payload["incidents"]
    ]
    lines = [
        table(rows, ["incident", "severity", "state", "began", "lasted", "what"]) if rows else "None is open."
    ]
    if payload["count"]:
        lines.append(f"{payload['count']} in all, {payload['open']} go on{mean_times(payload)}")
    if payload["actions"]:
        todo = [
            [
                f"{a['incident']}.{a['number']}",
                a["due"][:10],
                "overdue" if a["overdue"] else "",
                a["owner"],
                _cut(a["text"]),
            ]
            for a in payload["actions"]
        ]
        lines += ["", table(todo, ["action", "due", "", "owner", "what"])]
    show(as_json, payload, "\n".join(lines))


def show_one(incident: _Number, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Shows one incident: what it is tied to, its time line, and what is to be done."""
    payload = show_incident(open_project(project, say=say), incident)
    show(as_json, payload, render(payload))


def open_one(
    title: Annotated[str, typer.Option("--title", help="What is wrong, in a few words.")],
    severity: Annotated[
        str | None,
        typer.Option("--severity", help="low, medium, high or critical; default: the charter's."),
    ] = None,
    who: _Who = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Opens an incident by hand."""
    grave = next((each for each in SEVERITIES if each == severity), None)
    if severity is not None and grave is None:
        remedy = f"{did_you_mean(severity, SEVERITIES)}Known are {', '.join(SEVERITIES)}."
        raise UserMistake("--severity", f"{severity!r} is none", remedy)
    opened = open_project(project, say=say)
    payload = open_incident(opened, title, severity=grave, actor=acting(opened, who, "operate"))
    show(as_json, payload, f"Incident {payload['number']} ({payload['severity']}) is open.")


def note(
    incident: _Number,
    text: Annotated[str, typer.Option("--text", help="What there is to say.")],
    who: _Who = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Adds a line to the time line."""
    opened = open_project(project, say=say)
    payload = note_incident(opened, incident, text, actor=acting(opened, who, "operate"))
    show(as_json, payload, f"Noted; incident {payload['number']} is {payload['state']}.")


def close(
    incident: _Number,
    cause: Annotated[str, typer.Option("--cause", help="What it was.")],
    who: _Who = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Puts an incident to rest."""
    opened = open_project(project, say=say)
    payload = close_incident(opened, incident, cause, actor=acting(opened, who, "operate"))
    show(as_json, payload, f"Incident {payload['number']} is closed by {payload['closed_by']}.")


def action(
    incident: _Number,
    add: Annotated[str | None, typer.Option("--add", metavar="TEXT", help="What is to be done.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", metavar="NAME", help="Who answers for it.")] = None,
    due: Annotated[str | None, typer.Option("--due", metavar="DATE", help="By when.")] = None,
    done: Annotated[int | None, typer.Option("--done", metavar="K", help="The action that is done.")] = None,
    who: _Who = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Adds an action, so that it does not come again, or marks one as done."""
    if (add is None) == (done is None):
        raise UserMistake(
            "vitok incidents action", "says nothing to do", "Give either --add TEXT or --done K."
        )
    if add is not None and (owner is None or due is None):
        raise UserMistake("--add", "needs an owner and a day", "Add --owner NAME --due 2027-01-31.")
    by_when = None if due is None else parse_time(due, "--due")
    opened = open_project(project, say=say)
    by = acting(opened, who, "operate")
    if done is not None:
        payload = finish_action(opened, incident, done, actor=by)
        show(as_json, payload, f"Action {done} of incident {incident} is done.")
    elif add is not None and owner is not None and by_when is not None:
        payload = add_action(opened, incident, add, owner=owner, due=by_when, actor=by)
        number = payload["actions"][-1]["number"]
        show(as_json, payload, f"Action {number} of incident {incident}: {owner}, by {by_when:%Y-%m-%d}.")


def postmortem(
    incident: _Number,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write; without it: to stdout.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Drafts a post-mortem as Markdown: what happened, what it did, causes, actions."""
    opened = open_project(project, say=say)
    payload = post_mortem(opened, Ledger(opened.lake), incident)
    text = post_mortem_markdown(payload)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(output, text.encode())
    show(as_json, {**payload, "markdown": text}, text.rstrip() if output is None else f"Wrote {output}.")


def render(payload: dict[str, Any]) -> str:
    """One incident for people."""
    by = f" by {payload['closed_by']}: {payload['conclusion']}" if payload["closed"] else ""
    lines = [
        f"Incident {payload['number']} ({payload['severity']}): {payload['title']}",
        f"{payload['state']}{by}",
        f"Began {payload['began'][:16]}, detected {payload['detected'][:16]}"
        + (f", recovered {payload['recovered'][:16]}" if payload["recovered"] else ""),
        "Tied to " + (", ".join(f"{each['kind']} {each['name']}" for each in payload["links"]) or "nothing"),
        "",
        table(
            [[n["time"][:16], n["kind"], n["actor"], n["text"]] for n in payload["time_line"]],
            ["time", "what", "who", "in words"],
        ),
    ]
    if payload["actions"]:
        rows = [[a["number"], a["due"][:10], _state(a), a["owner"], a["text"]] for a in payload["actions"]]
        lines += ["", table(rows, ["action", "due", "state", "owner", "what"])]
    return "\n".join(lines)


def _state(action: dict[str, Any]) -> str:
    if action["done"]:
        return f"done {action['done'][:10]}"
    return "overdue" if action["overdue"] else "to do"


def _over(incident: dict[str, Any]) -> str:
    seconds = incident["seconds_to"]["recover"]
    return "goes on" if seconds is None else length(seconds)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 4]} ..."


def register(app: typer.Typer) -> None:
    """Adds the verb and what can be done about incidents."""
    group = typer.Typer(rich_markup_mode="markdown")
    group.callback(invoke_without_command=True)(incidents)
    group.command("show", epilog="Example: vitok incidents show 3")(show_one)
    group.command("open", epilog='Example: vitok incidents open --title "feed is late" --severity high')(
        open_one
    )
    group.command("note", epilog='Example: vitok incidents note 3 --text "the feed restarts at noon"')(note)
    group.command("close", epilog='Example: vitok incidents close 3 --cause "a sensor was replaced"')(close)
    group.command(
        "action",
        epilog='Example: vitok incidents action 3 --add "alert on units" --owner ada --due 2027-01-31',
    )(action)
    group.command("postmortem", epilog="Example: vitok incidents postmortem 3 -o incident-3.md")(postmortem)
    app.add_typer(group, name="incidents", epilog="Example: vitok incidents --all")
