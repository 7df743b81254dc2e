"""What moved: the ranking of columns, their distributions then and now, and how far they moved through time."""

from vitok.loop.project import Project
from vitok.loop.standing import standing
from vitok.report.page_charts_drift import distance_chart, shape_chart
from vitok.web.place import Deed, Place, Values


def _read(project: Project, asked: Values) -> Values:
    return standing(project, "drift")


def _shapes(found: Values) -> Values | None:
    history = found["figure"] and found["figure"]["history"]
    if not history:
        return None
    return {
        name: shape_chart(each["labels"], each["then"], each["now"])
        for name, each in history["features"].items()
    }


def _distances(found: Values) -> Values | None:
    history = found["figure"] and found["figure"]["history"]
    if not history:
        return None
    return distance_chart(
        history["columns"], {name: each["psi"] for name, each in history["features"].items()}
    )


PLACES = (
    Place(
        "/drift",
        "drift.html",
        _read,
        "How the last window is distributed against the reference, as it was reckoned last.",
        charts={"shapes": _shapes, "distances": _distances},
    ),
)
DEEDS: tuple[Deed, ...] = ()
