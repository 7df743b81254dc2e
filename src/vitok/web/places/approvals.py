"""Approvals: what waits for people's agreement, with its evidence, and their answers."""

from vitok.loop.approval_desk import approval_list, give_answer, show_approval
from vitok.loop.approving import delegate, withdraw
from vitok.loop.project import Project
from vitok.web.language import marked as _
from vitok.web.place import Ask, Deed, Place, Values

PLACES = (
    Place(
        "/approvals",
        "approvals.html",
        lambda project, asked: approval_list(project),
        "Requests for releases and questions of gates, the open ones first.",
    ),
    Place(
        "/approvals/{name}",
        "approval.html",
        lambda project, asked: show_approval(project, asked["name"]),
        "One request or question: what changes, the evidence beside the champion's, who answered, and who may.",
    ),
)


def _answer(project: Project, who: str, values: Values) -> Values:
    yes, reason = values["answer"] == "yes", values["reason"] or ""
    return give_answer(project, values["name"], yes=yes, reason=reason, who=who)


DEEDS = (
    Deed(
        "/approvals/{name}",
        _answer,
        "Answers an approval of a request, or a question of a gate.",
        act="approve",
        then="/approvals/{name}",
        said=_("Your answer is on record."),
        asks={
            "answer": Ask(choices=("yes", "no"), needed=True, help="The answer."),
            "reason": Ask(help="In the person's words; a no needs one."),
        },
    ),
    Deed(
        "/approvals/{name}/withdraw",
        lambda project, who, values: withdraw(project, values["name"], who=who, reason=values["reason"]),
        "Takes back an answer of one's own (r3.1) before the release, or a request of one's own (r3).",
        act="approve",
        then="/approvals/{name}",
        said=_("It is taken back."),
        asks={"reason": Ask(needed=True, help="Why, for the record.")},
    ),
    Deed(
        "/approvals/{name}/delegate",
        lambda project, who, values: delegate(project, values["name"], to=values["to"], who=who),
        "Hands an open answer over to another person, for this request alone.",
        act="approve",
        then="/approvals/{name}",
        said=_("The answer is handed over."),
        asks={"to": Ask(needed=True, help="To whom.")},
    ),
)
