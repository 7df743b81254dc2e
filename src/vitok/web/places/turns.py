"""Turns: the list, the time line of one, why turns started or did not; asking for one, ending one, going on."""

from vitok.loop.deciding import list_decisions
from vitok.loop.project import Project
from vitok.loop.turns import cancel_turn, list_turns, show_turn
from vitok.loop.wanting import want_turn
from vitok.web.language import marked as _
from vitok.web.place import Ask, Deed, Place, Values

PLACES = (
    Place(
        "/turns",
        "turns.html",
        lambda project, asked: {**list_turns(project), **list_decisions(project)},
        "All turns, newest first, and why turns started or did not.",
    ),
    Place(
        "/turns/{number}",
        "turn.html",
        lambda project, asked: show_turn(project, asked["number"]),
        "One turn: its steps with their times, outputs and messages, and its log.",
    ),
    Place("/decisions", "", lambda project, asked: list_decisions(project), "Why turns started or did not."),
)


def _want(project: Project, who: str, values: Values) -> Values:
    reason = (values["reason"] or "by hand")[:500]
    return want_turn(project, who, reason=reason, key=values.get("idempotency_key"))


DEEDS = (
    Deed(
        "/turns",
        _want,
        "Asks for a turn, which the keeper starts at its next look.",
        act="train",
        then="/turns",
        said=_("A turn is asked for: it starts at the keeper's next look."),
        asks={"reason": Ask(help="Why, for the record.")},
        status=202,
    ),
    Deed(
        "/turns/{number}/cancel",
        lambda project, who, values: cancel_turn(project, values["number"], actor=who),
        "Ends a turn at its next step.",
        act="train",
        then="/turns/{number}",
        said=_("The turn ends at its next step."),
    ),
)
