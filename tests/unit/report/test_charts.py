"""Charts: every axis says what it shows, and nothing is left to guess where a part is missing."""

from typing import Any

import pytest

from vitok.report.charts import effort_chart, roi_chart

ESTIMATE = {"value": 10.0, "low": 8.0, "high": 12.0, "rows": 100, "method": "t"}
ROI: dict[str, Any] = {
    "years": [{"year": 1, "net": -80.0, "cumulative": -80.0}, {"year": 2, "net": 70.0, "cumulative": -10.0}],
    "npv": 50.0,
    "range": {"tornado": [{"figure": "prevented", "npv_at_low": 0.0, "npv_at_high": 100.0}]},
    "decisions": {
        "version": 1,
        "basis": "production",
        "curve": [{"threshold": cut, "profit_per_1000": 100 * cut} for cut in (0.0, 0.5, 1.0)],
        "policies": {
            name: {"threshold": cut, "flagged_per_1000": 1.0, "profit_per_1000": ESTIMATE}
            for name, cut in (("used", 0.5), ("best", 0.4), ("flag_nobody", None), ("perfect", None))
        },
    },
}
WAITING = {
    "metric": "roc_auc",
    "curve": [{"rows": size, "roc_auc": ESTIMATE} for size in (100, 800)],
    "law": {"curve": [{"rows": 100, "value": 9.0}, {"rows": 900, "value": 10.0}]},
    "advice": {"sentence": "Do not wait."},
    "refused": None,
}
POINT = {"effort": 10.0, "value": 0.7, "low": 0.6, "high": 0.8, "best": 0.7, "verdict": "accepted"}
EFFORT: dict[str, Any] = {
    "metric": "roc_auc",
    "unit": "hours",
    "points": [POINT, POINT | {"effort": 20.0, "verdict": "refused"}],
    "curve": [{"effort": place, "value": 0.7} for place in (10.0, 20.0, 24.0)],
    "advice": {"sentence": "Go on: " + "long " * 60},
    "refused": None,
}


def titles(spec: Any, channel: str) -> set[str]:
    """The titles that a channel has anywhere in a specification."""
    if isinstance(spec, list):
        return set().union(*(titles(part, channel) for part in spec)) if spec else set()
    if not isinstance(spec, dict):
        return set()
    own = spec.get(channel)
    here = {own["title"]} if isinstance(own, dict) and own.get("title") else set()
    return here.union(*(titles(part, channel) for part in spec.values()))


def test_roi_page_has_a_panel_for_each_part_that_there_is():
    spec = roi_chart(ROI | {"waiting": WAITING})
    assert len(spec["vconcat"]) == 4
    assert len(roi_chart(ROI)["vconcat"]) == 3
    bare = roi_chart(ROI | {"decisions": None, "range": None})
    assert len(bare["vconcat"]) == 1


def test_axes_say_what_they_show_and_in_what_unit():
    spec = roi_chart(ROI | {"waiting": WAITING})
    across, upward = titles(spec, "x"), titles(spec, "y")
    assert {"Year", "Net present value (money)", "Training rows"} <= across
    assert {"Money", "Profit per 1 000 decisions (money)", "roc_auc on the test rows"} <= upward
    effort = effort_chart(EFFORT)
    assert titles(effort, "x") == {"Effort so far (person- and compute hours)"}
    assert titles(effort_chart(EFFORT | {"unit": "money"}), "x") == {"Effort so far (money)"}


def test_legend_gives_the_figures_with_their_intervals():
    text = str(roi_chart(ROI))
    assert "in use 0.500: 10 [8, 12]" in text
    assert "flag nobody: 10 [8, 12]" in text


def test_long_advice_is_wrapped_above_the_chart():
    lines = effort_chart(EFFORT)["title"]["subtitle"]
    assert len(lines) > 1
    assert max(map(len, lines)) <= 105


def test_points_without_advice_still_make_a_chart_that_says_why():
    refused = {"what": "gives no advice: only 1 of the 5 points", "remedy": "Come back."}
    spec = effort_chart(EFFORT | {"curve": [], "advice": None, "refused": refused})
    assert "Come back." in " ".join(spec["title"]["subtitle"])


@pytest.mark.parametrize(("chart", "payload"), [(roi_chart, ROI), (effort_chart, EFFORT)])
def test_same_figures_make_the_same_picture(chart, payload):
    import vl_convert

    pictures = [vl_convert.vegalite_to_png(chart(payload)) for _ in range(2)]
    assert pictures[0] == pictures[1]
