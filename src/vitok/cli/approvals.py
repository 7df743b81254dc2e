"""`vitok approvals`, `approve`, `reject`: what gates ask people, and their answers."""

from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, actor, say, show, table
from vitok.loop.approvals import answer_question, list_questions
from vitok.wire import open_project

_Id = Annotated[str, typer.Argument(metavar="ID", help="The question, as `vitok approvals` names it.")]
_Who = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Who answers, as in the charter's team; default: you."),
]


def approvals(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Lists the questions that gates ask people, the open ones first."""
    payload = list_questions(open_project(project, say=say))
    rows = [
        [q["id"], q["version"], q["role"], q["question"] or "-", q["answer"] or "open", q["by"], q["reason"]]
        for q in payload["approvals"]
    ]
    header = ["id", "version", "role", "question", "answer", "by", "reason"]
    show(as_json, payload, table(rows, header) if rows else "Nobody has been asked anything.")


def approve(
    question: _Id,
    reason: Annotated[str, typer.Option(help="Why; it stands in the card.")] = "",
    who: _Who = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Answers a question with yes; with the last yes the version is accepted."""
    _answer(project, question, yes=True, who=who, reason=reason, as_json=as_json)


def reject(
    question: _Id,
    reason: Annotated[str, typer.Option(help="Why; it stands in the card.")] = "",
    who: _Who = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Answers a question with no; the version is refused."""
    _answer(project, question, yes=False, who=who, reason=reason, as_json=as_json)


def _answer(project: Any, question: str, *, yes: bool, who: str | None, reason: str, as_json: bool) -> None:
    opened = open_project(project, say=say)
    payload = answer_question(opened, question, yes=yes, who=who or actor(), reason=reason)
    version = payload["version"]
    following = f" Next: vitok release {version}" if payload["verdict"] == "accepted" else ""
    text = f"Question {question}: {payload['answer']}. Version {version} is {payload['verdict']}.{following}"
    show(as_json, payload, text)


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command(epilog="Example: vitok approvals")(approvals)
    app.command(epilog='Example: vitok approve 3.2 --reason "plausible" --as olga@example.org')(approve)
    app.command(epilog='Example: vitok reject 3.2 --reason "wrong sign for rain"')(reject)
