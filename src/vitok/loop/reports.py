"""What each kind of reader is told of a project, in one object."""

from datetime import datetime
from typing import Any, Literal

from vitok.kernel.clock import format_time
from vitok.loop.alerts import list_alerts
from vitok.loop.approvals import list_questions
from vitok.loop.auditing import list_audit, verify_audit
from vitok.loop.business import project_business
from vitok.loop.card import list_versions, version_card
from vitok.loop.incident_acts import list_incidents
from vitok.loop.overview import project_overview
from vitok.loop.performance import project_performance
from vitok.loop.project import Project
from vitok.loop.reading import read_charter
from vitok.loop.standing import reckon_due, standing
from vitok.loop.turns import list_turns
from vitok.loop.users import list_users

Reader = Literal["owner", "engineer", "auditor"]
READERS: tuple[Reader, ...] = ("owner", "engineer", "auditor")
_LINES = 50  # of the audit log; all of it is for `vitok audit export`


def project_report(project: Project, reader: Reader) -> dict[str, Any]:
    """The content of a report: the objects that commands and pages show, those that are old reckoned anew."""
    reckon_due(project)
    found = {"owner": _owner, "engineer": _engineer, "auditor": _auditor}[reader](project)
    return {
        "for": reader,
        "project": project.charter.project,
        "made": format_time(_whole_seconds(project.clock())),
        **found,
    }


def _owner(project: Project) -> dict[str, Any]:
    return {
        "overview": project_overview(project),
        "business": project_business(project),
        "charter": read_charter(project),
    }


def _engineer(project: Project) -> dict[str, Any]:
    return {
        "overview": project_overview(project),
        "performance": project_performance(project),
        "drift": standing(project, "drift"),
        "operations": standing(project, "operations"),
        "turns": list_turns(project)["turns"],
        "versions": list_versions(project),
        "alerts": list_alerts(project, ended=True)["alerts"],
        "incidents": list_incidents(project, closed=True),
    }


def _auditor(project: Project) -> dict[str, Any]:
    listed = list_versions(project)
    return {
        "charter": read_charter(project),
        "versions": listed,
        "cards": [version_card(project, each["version"]) for each in listed],
        "approvals": list_questions(project),
        "incidents": list_incidents(project, closed=True),
        "people": list_users(project)["users"],
        "verified": verify_audit(project),
        "audit": list_audit(project, limit=_LINES),
        "overview": project_overview(project),
    }


def _whole_seconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
