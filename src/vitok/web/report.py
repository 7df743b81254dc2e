"""A report as one HTML file that asks no host for anything: the same figures as the pages, with pictures drawn in."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markupsafe import Markup

from vitok.report.page_charts import kpi_chart, money_chart, quality_chart
from vitok.web.language import catalogue
from vitok.web.pictures import spoken
from vitok.web.render import environment

_SHEET = Path(__file__).parent / "static" / "vitok.css"
_NAME = re.compile(r"(--[a-z0-9-]+):\s*(#[0-9a-f]{6})")
_SIZE = {"width": 900, "height": 240}

Draw = Callable[[dict[str, Any]], str]


def report_html(found: dict[str, Any], language: str, draw: Draw) -> str:
    """The report.

    Args:
        found: What `project_report` gives.
        language: One of `LANGUAGES`.
        draw: Makes SVG of a Vega-Lite specification.
    """
    sheet = _SHEET.read_text(encoding="utf-8")
    light = dict(_NAME.findall(sheet[: sheet.index("@media")]))

    def picture(spec: dict[str, Any] | None) -> Markup:
        if spec is None:
            return Markup()
        text = re.sub(r"var\((--[a-z0-9-]+)\)", lambda name: light.get(name[1], "#444444"), json.dumps(spec))
        said = spoken(json.loads(text), catalogue(language).gettext)
        return Markup(draw({**said, "background": "white", **_SIZE}))

    page = environment(language).get_template(f"report_{found['for']}.html")
    return page.render(r=found, charts=_charts(found, picture), sheet=Markup(sheet))


def _charts(found: dict[str, Any], picture: Callable[[Any], Markup]) -> dict[str, Markup]:
    drawn = {}
    history = found["overview"]["history"]
    if found["for"] in ("owner", "engineer"):
        drawn["quality"] = picture(quality_chart(history["quality"], history["events"]))
    if found["for"] == "owner":
        earned = found["business"]["earned"]["figure"]
        drawn["money"] = picture(money_chart(earned["periods"]) if earned else None)
        drawn["kpi"] = picture(
            kpi_chart(earned["periods"], earned["kpi"]) if earned and earned["kpi"] else None
        )
    return drawn
