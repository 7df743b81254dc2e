import json

import pytest

from examples import CHARTER
from vitok.charter.load import load_charter
from vitok.export.grafana import grafana_dashboard

SLO = "serve: {slo: {availability: 99.5%, latency: 95% < 50ms, over: 30d}}\n"
UNITS = {"none", "reqps", "s", "percentunit", "bytes"}


@pytest.fixture(params=["", SLO], ids=["no promise", "promise"])
def dashboard(request):
    return json.loads(grafana_dashboard(load_charter(CHARTER + request.param).charter))


def test_dashboard_has_what_grafana_asks_for(dashboard):
    assert dashboard["schemaVersion"] >= 36
    assert len(dashboard["uid"]) <= 40
    (variable,) = dashboard["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    for panel in dashboard["panels"]:
        assert panel["type"] in ("stat", "timeseries")
        assert panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
        assert all(target["expr"] for target in panel["targets"])


def test_ids_are_unique_and_panels_do_not_overlap(dashboard):
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    covered = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & covered
        covered |= cells


def test_budgets_are_shown_only_where_something_is_promised():
    titles = [
        {
            panel["title"]
            for panel in json.loads(grafana_dashboard(load_charter(CHARTER + extra).charter))["panels"]
        }
        for extra in ("", SLO)
    ]
    assert titles[1] - titles[0] == {
        "Error budget left (30d)",
        "Latency budget left (30d)",
        "Burn rate of the error budget",
    }
