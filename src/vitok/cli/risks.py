"""`vitok risks`: the risk register with what is happening."""

from typing import Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.loop.risks import project_risks
from vitok.wire import open_project


def risks(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Shows the risk register, and which risks are happening by what watches them."""
    payload = project_risks(open_project(project, say=say))
    show(as_json, payload, render(payload))


def render(payload: dict[str, Any]) -> str:
    """The register for people."""
    if not payload["risks"]:
        return "No risk is registered: add risks to vitok.yaml."
    rows = []
    for risk in payload["risks"]:
        state = "HAPPENING" if risk["state"] == "happening" else risk["state"]
        watcher = risk["watched_by"] or "-"
        rows.append([risk["id"], risk["score"], risk["status"], risk["owner"], state, watcher, risk["what"]])
    lines = [table(rows, ["risk", "score", "status", "owner", "state", "watched by", "what may happen"])]
    for risk in payload["risks"]:
        if risk["state"] == "happening":
            since = "" if risk["since"] is None else f" since {risk['since'][:16]}"
            lines += ["", f"{risk['id']} is HAPPENING{since}: {risk['message']}"]
            lines.append(f"  Mitigation: {risk['mitigation'] or 'none is stated'}.")
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok risks --project flights")(risks)
