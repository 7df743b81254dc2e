"""The people of a replay: they agree to whatever they are asked, after as long as they take."""

from datetime import timedelta

from vitok.errors import Refused
from vitok.loop.approving import answer_approval
from vitok.loop.project import Project
from vitok.registry import requests


def agree(project: Project, after: timedelta) -> None:
    """Gives each answer that has waited so long, by a member of the team in the role that is asked.

    Nobody of a team without that role agrees, as in production: the request expires.
    """
    now = project.clock()
    with project.engine.connect() as connection:
        due = [
            approval
            for request in requests.all_open(connection)
            if now - request.asked >= after
            for approval in requests.approvals_of(connection, request.number)
            if approval.answer is None
        ]
    for approval in due:
        able = [person for person, roles in project.charter.team.items() if approval.role in roles]
        for person in able if project.charter.team else [f"somebody who is {approval.role}"]:
            try:
                answer_approval(project, approval.id, yes=True, who=person, reason="agreed in a replay")
                break
            except Refused:  # an author of the change, or one who has answered for another role
                continue
