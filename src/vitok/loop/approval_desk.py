"""What people see before they answer: what changes, beside what is in production, who has answered, and who may."""

from typing import Any

from vitok.errors import UserMistake, VitokError
from vitok.kernel.clock import format_time
from vitok.loop.approvals import answer_question, list_questions, question_json
from vitok.loop.approving import MACHINES, answer_approval, find_request
from vitok.loop.project import Project
from vitok.loop.side_by_side import compare_versions
from vitok.registry import questions, requests, versions
from vitok.registry.requests import Approval, Request
from vitok.release.approving import Agreement, Asked, hindrance

OPEN = ("open", "approved")


def is_request(name: str) -> bool:
    """Whether a name is of a request for a release, such as `r3` or `r3.1`; else it is of a question of a gate."""
    return name.startswith("r")


def approval_list(project: Project) -> dict[str, Any]:
    """What waits for people and what they said: as `vitok approvals --json`, with the present time."""
    return {**list_questions(project), "now": format_time(project.clock())}


def show_approval(project: Project, name: str) -> dict[str, Any]:
    """A request or a question with all that an answer needs.

    Args:
        name: Of a request (`r3`), of one of its approvals (`r3.1`), or of a question (`3.2`).

    Returns:
        `request` (as `vitok approvals show --json`) or `question`, the other None; `compared`: the version beside the
        champion of then, None for a first version or where a bundle is gone; `able`: for each open approval who may
        answer (`people`, None for anybody but those `barred`), and `late` if it is too late; `team`; `now`.

    Raises:
        NotFound: there is none.
    """
    if is_request(name):
        request, question = find_request(project, name), None
        version, champion = request["version"], request["shown"]["champion"]
        able = _answerers(project, int(request["request"][1:]))
    else:
        request, question = None, _question(project, name)
        version, champion = question["version"], question.pop("champion")
        able = {question["id"]: _holders(project, question["role"])} if question["answer"] is None else {}
    return {
        "request": request,
        "question": question,
        "compared": _compared(project, champion, version),
        "able": able,
        "team": sorted(project.charter.team),
        "now": format_time(project.clock()),
    }


def give_answer(project: Project, name: str, *, yes: bool, reason: str, who: str) -> dict[str, Any]:
    """Answers an approval of a request, or a question of a gate.

    Raises:
        UserMistake: a no has no reason; and as `answer_approval` and `answer_question`.
    """
    if not yes and not reason.strip():
        raise UserMistake(
            "reason", "a no needs a reason", "Write it beside the answer: it stands in the record."
        )
    if is_request(name):
        return answer_approval(project, name, yes=yes, who=who, reason=reason)
    return answer_question(project, name, yes=yes, who=who, reason=reason)


def _question(project: Project, name: str) -> dict[str, Any]:
    with project.engine.connect() as connection:
        found = questions.get(connection, name)
        version = versions.get(connection, found.version)
    return {**question_json(found), "champion": version.summary.get("champion"), "gates": version.gates}


def _compared(project: Project, champion: int | None, version: int) -> dict[str, Any] | None:
    if champion is None:
        return None
    try:
        return compare_versions(project, champion, version)
    except VitokError:  # a bundle is gone: there is less to see, and people can still say no
        return None


def _answerers(project: Project, number: int) -> dict[str, dict[str, Any]]:
    """For each open approval of a request that has not ended, who may answer it now."""
    with project.engine.connect() as connection:
        request = requests.get(connection, number)
        given = requests.approvals_of(connection, number)
    if request.state not in OPEN:
        return {}
    return {
        each.id: _may(project, request, each, [other for other in given if other.id != each.id])
        for each in given
        if each.answer is None
    }


def _may(project: Project, request: Request, mine: Approval, others: list[Approval]) -> dict[str, Any]:
    team, now = project.charter.team, project.clock()
    authors = frozenset({request.author, request.actor} - MACHINES)
    asked = Asked(authors, mine.expires, request.evidence)
    agreements = [Agreement(each.role, each.person, each.answer, each.actor) for each in others]
    own = Agreement(mine.role, mine.person, mine.answer, mine.actor)
    people = {*team, *([mine.person] if mine.person else [])}
    able = sorted(who for who in people if hindrance(asked, own, agreements, who, team, now) is None)
    barred = sorted({*authors, *(each.actor for each in others if each.actor and each.answer)})
    anybody = not team and mine.person is None
    late = mine.expires is not None and now >= mine.expires
    return {"people": None if anybody else able, "barred": barred, "late": late}


def _holders(project: Project, role: str) -> dict[str, Any]:
    """Who may answer a question of a gate."""
    team = project.charter.team
    people = sorted(person for person, roles in team.items() if role in roles) if team else None
    return {"people": people, "barred": [], "late": False}
