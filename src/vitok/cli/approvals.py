"""`vitok approvals`, `approve`, `reject`: what people are asked, and their answers."""

from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.govern.people import local_user
from vitok.govern.secrets import signing_key
from vitok.loop.approval_desk import is_request
from vitok.loop.approvals import answer_question, list_questions
from vitok.loop.approving import answer_approval, delegate, find_request, withdraw
from vitok.loop.links import link_of
from vitok.wire import open_project

_Id = Annotated[
    str, typer.Argument(metavar="ID", help="The question or approval, as `vitok approvals` names it.")
]
_Name = Annotated[str, typer.Argument(metavar="ID", help="The request (r3), or one approval of it (r3.1).")]
_Who = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Who does it, as in the charter's team; default: you."),
]


def approvals(context: typer.Context, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Lists what people are asked, the open ones first; with a verb behind it: looks at a request, or changes it."""
    if context.invoked_subcommand is not None:
        return
    payload = list_questions(open_project(project, say=say))
    rows = [
        [q["id"], q["version"], q["role"], q["question"] or "-", q["answer"] or "open", q["by"], q["reason"]]
        for q in payload["approvals"]
    ]
    rows += [
        [
            a["id"],
            r["version"],
            a["person"] or a["role"],
            f"release? ({r['risk']} risk)",
            _said(r, a),
            a["by"],
            a["reason"],
        ]
        for r in payload["requests"]
        for a in r["approvals"]
    ]
    header = ["id", "version", "role", "question", "answer", "by", "reason"]
    show(as_json, payload, table(rows, header) if rows else "Nobody has been asked anything.")


def show_request(request: _Name, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Shows a request: what changes, the evidence, and who has said what."""
    payload = find_request(open_project(project, say=say), request)
    show(as_json, payload, render(payload))


def delegate_one(
    approval: _Id,
    to: Annotated[str, typer.Option(metavar="NAME", help="Who is to answer.")],
    who: _Who = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Hands one answer over to another person, for this request alone."""
    payload = delegate(open_project(project, say=say), approval, to=to, who=who or local_user())
    show(as_json, payload, f"{approval} is to be answered by {to}.")


def withdraw_one(
    name: _Name,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    who: _Who = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Takes back an answer before the release (r3.1), or a whole request (r3)."""
    payload = withdraw(open_project(project, say=say), name, who=who or local_user(), reason=reason)
    show(as_json, payload, f"{name} is taken back; request {payload['request']} is {payload['state']}.")


def link(
    approval: _Id,
    person: Annotated[str, typer.Option("--for", metavar="NAME", help="Who is to answer by it.")],
    url: Annotated[
        str, typer.Option(help="Where people reach the pages of `vitok up`.")
    ] = "http://127.0.0.1:8000",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Makes a link by which one person answers once, until the request expires; whoever has it can use it."""
    path = link_of(open_project(project, say=say), approval, person, signing_key())
    address = url.rstrip("/") + path
    show(as_json, {"approval": approval, "person": person, "url": address}, address)


def approve(
    question: _Id,
    reason: Annotated[str, typer.Option(help="Why; it stands in the record.")] = "",
    who: _Who = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Answers with yes: a question of a gate, or the wish to release a version."""
    _answer(project, question, yes=True, who=who, reason=reason, as_json=as_json)


def reject(
    question: _Id,
    reason: Annotated[str, typer.Option(help="Why; it stands in the record.")] = "",
    who: _Who = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Answers with no; the version is refused, or not released."""
    _answer(project, question, yes=False, who=who, reason=reason, as_json=as_json)


def _answer(project: Any, question: str, *, yes: bool, who: str | None, reason: str, as_json: bool) -> None:
    opened = open_project(project, say=say)
    if is_request(question):
        payload = answer_approval(opened, question, yes=yes, who=who or local_user(), reason=reason)
        following = f" Next: vitok release {payload['version']}" if payload["state"] == "approved" else ""
        text = f"{question}: {'yes' if yes else 'no'}. Request {payload['request']} is {payload['state']}.{following}"
        show(as_json, payload, text)
        return
    payload = answer_question(opened, question, yes=yes, who=who or local_user(), reason=reason)
    version = payload["version"]
    following = f" Next: vitok release {version}" if payload["verdict"] == "accepted" else ""
    text = f"Question {question}: {payload['answer']}. Version {version} is {payload['verdict']}.{following}"
    show(as_json, payload, text)


def render(payload: dict[str, Any]) -> str:
    """A request for people."""
    shown = payload["shown"]
    champion = "nothing" if shown["champion"] is None else f"version {shown['champion']}"
    lines = [
        f"Request {payload['request']}: {payload['state']}"
        + (f" ({payload['reason']})" if payload["reason"] else ""),
        f"Release version {payload['version']} in the place of {champion}, by {shown['strategy']}; asked by "
        f"{payload['by']} at {payload['asked'][:16]}, made by {payload['author'] or '-'}",
        f"Risk {payload['risk']}: {'; '.join(shown['differences'])}",
        "",
        table(
            [["passed" if g["passed"] else "FAILED", g["name"], g["reason"]] for g in shown["gates"]],
            ["gate", "rule", "why"],
        ),
        "",
        table(
            [
                [
                    a["id"],
                    a["person"] or a["role"],
                    _said(payload, a),
                    a["by"],
                    (a["expires"] or "-")[:16],
                    a["reason"],
                ]
                for a in payload["approvals"]
            ],
            ["id", "asked", "answer", "by", "until", "reason"],
        ),
        f"Bundle {payload['digest'][:12]}, evidence {payload['evidence'][:12]}",
    ]
    return "\n".join(lines)


def _said(request: dict[str, Any], approval: dict[str, Any]) -> str:
    if approval["answer"] is not None:
        return str(approval["answer"])
    return "open" if request["state"] in ("open", "approved") else str(request["state"])


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    group = typer.Typer(rich_markup_mode="markdown")
    group.callback(invoke_without_command=True)(approvals)
    group.command("show", epilog="Example: vitok approvals show r3")(show_request)
    group.command("delegate", epilog="Example: vitok approvals delegate r3.1 --to bob@example.org")(
        delegate_one
    )
    group.command("withdraw", epilog='Example: vitok approvals withdraw r3.1 --reason "wrong version"')(
        withdraw_one
    )
    group.command("link", epilog="Example: vitok approvals link r3.1 --for olga@example.org")(link)
    app.add_typer(group, name="approvals", epilog="Example: vitok approvals show r3")
    app.command(epilog='Example: vitok approve 3.2 --reason "plausible" --as olga@example.org')(approve)
    app.command(epilog='Example: vitok reject 3.2 --reason "wrong sign for rain"')(reject)
