"""KPI, money against plan, ROI, risks, and what was prevented."""

from vitok.loop.business import project_business
from vitok.report.page_charts import bars_chart, kpi_chart, money_chart
from vitok.web.place import Deed, Place, Values


def _money(found: Values) -> Values | None:
    earned = found["earned"]["figure"]
    return None if earned is None else money_chart(earned["periods"])


def _kpi(found: Values) -> Values | None:
    earned = found["earned"]["figure"]
    return None if earned is None or earned["kpi"] is None else kpi_chart(earned["periods"], earned["kpi"])


def _years(found: Values) -> Values | None:
    roi = found["roi"]["figure"]
    if roi is None:
        return None
    rows = [{"year": str(each["year"]), "cumulative": each["cumulative"]} for each in roi["years"]]
    return bars_chart(rows, "year", "cumulative")


PLACES = (
    Place(
        "/business",
        "business.html",
        lambda project, asked: project_business(project),
        "KPI and money from outcomes against the plan, return on investment, risks, and what was prevented.",
        charts={"money": _money, "kpi": _kpi, "years": _years},
    ),
)
DEEDS: tuple[Deed, ...] = ()
