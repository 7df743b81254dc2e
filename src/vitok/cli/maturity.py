"""`vitok maturity`: how ready the project is for production, by what it really has."""

from typing import Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.loop.maturity import maturity as measure
from vitok.wire import open_project

_NEXT = 5


def maturity(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Measures the ML Test Score and the levels of automation, each point with its proof or the next step."""
    payload = measure(open_project(project, say=say))
    show(as_json, payload, render(payload))


def render(payload: dict[str, Any]) -> str:
    """The score for people."""
    lines = [f"ML Test Score: {payload['score']:g} of 7 ({payload['meaning']})", ""]
    rows = [
        [name, f"{proof['points']:g}", test, proof["evidence"]]
        for name, section in payload["sections"].items()
        for test, proof in section["tests"].items()
    ]
    lines += [table(rows, ["section", "points", "test", "proof"]), ""]
    lines.append("  ".join(f"{name} {section['points']:g}" for name, section in payload["sections"].items()))
    for name, found in payload["levels"].items():
        lines.append(f"Level {found['level']} of {found['of']} by {name.capitalize()}'s model")
        lines += [
            f"  for level {step['level']}: {step['what']}: {step['remedy']}" for step in _missing(found)
        ]
    if payload["next"]:
        lines += ["", "Next:"]
        lines += [f"  {step['test']}: {step['remedy']}" for step in payload["next"][:_NEXT]]
    return "\n".join(lines)


def _missing(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What is missing for the next level."""
    return [step for step in found["steps"] if step["level"] == found["level"] + 1 and step["points"] < 1]


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok maturity --project flights")(maturity)
