"""What waits for people, and what their answers lead to."""

from typing import Any

from sqlalchemy import Connection

from vitok.errors import Refused, UserMistake
from vitok.evaluate.gates import Answer, Gate, judge_answer, verdict_of
from vitok.govern import audit
from vitok.kernel.clock import format_time
from vitok.loop.approving import request_json
from vitok.loop.project import Project
from vitok.registry import questions, releases, requests, versions
from vitok.store.writing import begin_writing


def list_questions(project: Project) -> dict[str, Any]:
    """The object that `vitok approvals --json` prints: questions of gates, and requests; the open ones first."""
    with project.engine.connect() as connection:
        known = questions.all_questions(connection)
        wished = [request_json(connection, request) for request in requests.all_requests(connection)]
    return {
        "approvals": [
            question_json(question) for question in sorted(known, key=lambda q: q.answer is not None)
        ],
        "requests": sorted(wished, key=lambda each: each["state"] not in ("open", "approved")),
    }


def answer_question(
    project: Project, question_id: str, *, yes: bool, who: str, reason: str
) -> dict[str, Any]:
    """Answers a question; with the last answer the version's verdict is decided.

    Args:
        who: The person; with a team in the charter one of it, in the role that is asked.
        reason: In the person's words; a no needs one.

    Raises:
        NotFound: there is no such question.
        UserMistake: it has been answered, or a no has no reason.
        Refused: the person does not have the role, or the champion has changed since the verdict.
    """
    if not yes and not reason.strip():
        raise UserMistake("--reason", "a no needs a reason", 'Add --reason "...": it stands in the card.')
    now = project.clock()
    with project.engine.begin() as connection:
        begin_writing(connection)
        question = questions.get(connection, question_id)
        if question.answer is not None:
            what = f"was answered with {question.answer} by {question.actor}"
            raise UserMistake(f"question {question.id}", what, "Run a new turn to be asked again.")
        _require_role(project, who, question.role)
        questions.answer(connection, question.id, now, yes=yes, actor=who, reason=reason)
        version = versions.get(connection, question.version)
        _require_same_champion(connection, version)
        asked, answer = question.as_ask(), Answer(yes, who, reason)
        gates = [
            judge_answer(asked, answer) if gate["name"] == str(asked) else Gate(**gate)
            for gate in version.gates
        ]
        verdict = verdict_of(gates)
        versions.decide(connection, version.number, verdict, [gate.as_json() for gate in gates])
        details = {"question": question.question, "answer": "yes" if yes else "no", "reason": reason}
        details |= {"digest": question.digest, "verdict": verdict}
        audit.record(connection, now, who, "answer", f"question {question.id}", details)
        result = questions.get(connection, question.id)
    return {**question_json(result), "verdict": verdict}


def _require_same_champion(connection: Connection, version: versions.Version) -> None:
    """A verdict holds against the champion that it was reached against."""
    release = releases.current(connection)
    now, then = None if release is None else release.version, version.summary.get("champion")
    if now != then:
        against = "no champion" if then is None else f"version {then}"
        what = f"was judged against {against}; version {now} is in production now"
        raise Refused(f"version {version.number}", what, "Run a new turn: it is judged and asked anew.")


def _require_role(project: Project, who: str, role: str) -> None:
    team = project.charter.team
    if not team or role in team.get(who, []):
        return
    able = [person for person, roles in team.items() if role in roles]
    remedy = f"Ask {' or '.join(able)} (--as NAME)." if able else f"Name a {role} under team in the charter."
    raise Refused(f"{who}", f"is no {role} of this project's team", remedy)


def question_json(question: questions.Question) -> dict[str, Any]:
    """A question of a gate as JSON values."""
    return {
        "id": question.id,
        "version": question.version,
        "digest": question.digest,
        "role": question.role,
        "question": question.question,
        "asked": format_time(question.asked),
        "answer": question.answer,
        "answered": None if question.answered is None else format_time(question.answered),
        "by": question.actor,
        "reason": question.reason,
    }
