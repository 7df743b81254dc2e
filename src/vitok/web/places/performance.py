"""Quality through time, and by slice."""

from typing import get_args

from vitok.loop.performance import Period, project_performance
from vitok.loop.project import Project
from vitok.loop.standing import main_performance, standing
from vitok.report.page_charts import labels_chart, quality_chart
from vitok.report.page_charts_drift import heat_chart
from vitok.web.place import Ask, Deed, Place, Values


def _read(project: Project, asked: Values) -> Values:
    metric: str | None = asked["metric"]
    period: Period = asked["period"] or "year"
    if metric is None:
        found = main_performance(project, period)
    else:
        found = project_performance(project, metric=metric, period=period)
    drift = standing(project, "drift")["figure"]
    compared = standing(project, "compared")
    return {**found, "against": None if drift is None else drift["quality_against"], "compared": compared}


PLACES = (
    Place(
        "/performance",
        "performance.html",
        _read,
        "A metric of production through time, with intervals, control limits, label maturity, and by slice; "
        "and each metric of the charter against acceptance, the version before and the same season.",
        asks={
            "metric": Ask(help="One of `metrics`; the main one if left out."),
            "period": Ask(choices=get_args(Period), help="How far back; a year if left out."),
        },
        charts={
            "quality": lambda found: quality_chart(found["quality"]),
            "labels": lambda found: labels_chart(found["columns"]),
            "segments": lambda found: heat_chart(
                found["segments"]["cells"], found["segments"]["accepted"], found["metric"]
            ),
        },
    ),
)
DEEDS: tuple[Deed, ...] = ()
