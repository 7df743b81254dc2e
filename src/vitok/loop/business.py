"""What the model is worth, as one page shows it: KPI, money against plan, ROI, risks, and what was prevented."""

from typing import Any

from vitok.loop.project import Project
from vitok.loop.standing import standing
from vitok.registry import incidents, rollouts, versions


def project_business(project: Project) -> dict[str, Any]:
    """The kept figures of `vitok earned`, `vitok roi` and `vitok risks`, the goal, and what was prevented.

    Returns:
        goal, earned, roi, risks; prevented: how many versions were refused before they could answer, how many were
        taken back from a part of the traffic, and how many incidents recovered.
    """
    goal = project.charter.goal
    with project.engine.connect() as connection:
        known = versions.all_versions(connection)
        tried = rollouts.all_rollouts(connection)
        past = incidents.all_since(connection)
    return {
        "goal": {
            "statement": goal.statement,
            "owner": goal.owner,
            "kpi": None if goal.kpi is None else goal.kpi.model_dump(mode="json"),
        },
        "earned": standing(project, "earned"),
        "roi": standing(project, "roi"),
        "risks": standing(project, "risks"),
        "prevented": {
            "refused": sum(each.verdict == "refused" for each in known),
            "taken_back": sum(each.state == "rolled back" for each in tried),
            "recovered": sum(each.recovered is not None for each in past),
        },
    }
