"""`vitok plan`: where the project stands against its plan."""

from typing import Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.loop.plan import project_plan
from vitok.wire import open_project

_MARKS = {"done": "done", "missing": "MISSING", "not applicable": "n/a", "late": "LATE"}


def plan(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Shows stages, milestones, experiments, launch check list and 90-day road map, read from the project."""
    payload = project_plan(open_project(project, say=say))
    show(as_json, payload, render(payload))


def render(payload: dict[str, Any]) -> str:
    """The plan for people."""
    parts = [
        f"{payload['project']}: plan from {payload['start']}, today {payload['today']}",
        _stages(payload["stages"]),
        _milestones(payload["milestones"]),
        _review(payload["review"]),
        _experiments(payload["experiments"]),
        _launch(payload["launch"]),
        _roadmap(payload["roadmap"]),
    ]
    return "\n\n".join(part for part in parts if part)


def _when(row: dict[str, Any]) -> str:
    """State with its date and its delay."""
    state = _MARKS.get(row["state"], row["state"])
    done = f" {row['done']}" if row["done"] else ""
    late = f" ({row['late_days']} days late)" if row["late_days"] else ""
    return f"{state}{done}{late}"


def _stages(stages: list[dict[str, Any]]) -> str:
    rows = []
    for stage in stages:
        parts = stage["evidence"]
        shown = parts if stage["state"] == "done" else [part for part in parts if not part["done"]]
        said = "; ".join(f"{part['what']}: {part['evidence']}" for part in shown)
        rows.append([stage["stage"], stage["due"], _when(stage), said])
    return "Stages\n" + table(rows, ["stage", "due", "state", "by what, or what is missing"])


def _milestones(milestones: list[dict[str, Any]]) -> str:
    rows = [
        [
            f"{milestone['name']} (MVP)" if milestone["mvp"] else milestone["name"],
            milestone["due"],
            _when(milestone),
            milestone["done_when"],
            milestone["evidence"],
        ]
        for milestone in milestones
    ]
    return "Milestones\n" + table(rows, ["milestone", "due", "state", "done when", "now"]) if rows else ""


def _review(review: dict[str, Any] | None) -> str:
    if review is None:
        return ""
    late = f", OVERDUE by {review['overdue_days']} days" if review["overdue_days"] else ""
    return (
        f"Next review of the charter: {review['due']}{late} (every {review['every']}, last {review['last']})"
    )


def _experiments(experiments: list[dict[str, Any]]) -> str:
    if not experiments:
        return ""
    rows = [
        [e["id"], e["score"], e["status"], e["effort_hours"], e["hours_logged"], e["gain"], e["what"]]
        for e in experiments
    ]
    header = ["experiment", "score", "status", "hours", "logged", "gain", "idea"]
    lines = ["Experiments (score: chance x effect for each hour)", table(rows, header)]
    lines += [f"  {e['id']} taught: {e['learned']}" for e in experiments if e["learned"]]
    return "\n".join(lines)


def _launch(launch: dict[str, Any]) -> str:
    rows = []
    for item in launch["items"]:
        remedy = f". {item['remedy']}" if item["remedy"] else ""
        rows.append([item["group"], _MARKS[item["state"]], item["item"], f"{item['evidence']}{remedy}"])
    title = f"Launch check list: {launch['done']} done, {launch['missing']} missing"
    return f"{title}\n{table(rows, ['', 'state', 'item', 'by what, or what to do'])}"


def _roadmap(steps: list[dict[str, Any]]) -> str:
    rows = [[step["days"], step["due"], _when(step), step["step"], step["evidence"]] for step in steps]
    return "Road map of 90 days\n" + table(rows, ["days", "due", "state", "step", "now"])


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok plan --project flights")(plan)
