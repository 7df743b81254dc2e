"""The first page, and the object of `vitok status`."""

from vitok.loop.overview import project_overview
from vitok.loop.status import project_status
from vitok.report.page_charts import money_chart, quality_chart
from vitok.web.place import Deed, Place, Values


def _money(found: Values) -> Values | None:
    earned = found["worth"]["figure"]
    return None if earned is None else money_chart(earned["periods"])


PLACES = (
    Place(
        "/",
        "home.html",
        lambda project, asked: project_overview(project),
        "Whether the model is well, what it is worth, what happens now, and what waits for people.",
        charts={
            "quality": lambda found: quality_chart(found["history"]["quality"], found["history"]["events"]),
            "money": _money,
        },
    ),
    Place("/status", "", lambda project, asked: project_status(project), "Where the project stands."),
)
DEEDS: tuple[Deed, ...] = ()
