"""Reviews: the queue of rows that were left to people, one at a time, and how well people agree."""

from vitok.loop.labelling import give_label, review_queue
from vitok.loop.project import Project
from vitok.web.language import marked as _
from vitok.web.place import Ask, Deed, Place, Values

_AGAIN = Ask(bool, help="Rows that one person has labelled, for a second opinion.")


def _label(project: Project, who: str, values: Values) -> Values:
    return give_label(project, values["id"], values["value"], actor=who)


def _queue(project: Project, asked: Values) -> Values:
    """What annotators need to see of a row; what the charter calls personal only for whoever may read that."""
    how = {"again": asked["again"], "after": asked["after"]}
    return review_queue(project, **how, with_personal="personal" in asked["acts"])


PLACES = (
    Place(
        "/reviews",
        "reviews.html",
        _queue,
        "The rows that wait for a label, oldest first, and how well people agree.",
        act="label",
        asks={"again": _AGAIN, "after": Ask(help="Only what comes behind the row with this id.")},
    ),
)

DEEDS = (
    Deed(
        "/reviews",
        _label,
        "Gives a row a label: its outcome if it has none, else a second opinion.",
        act="label",
        then="/reviews?again={again}",
        said=_("Your label is taken. Here is the next row."),
        asks={
            "id": Ask(needed=True, help="Of the prediction."),
            "value": Ask(needed=True, help="The class, or the number."),
            "again": _AGAIN,
        },
    ),
)
