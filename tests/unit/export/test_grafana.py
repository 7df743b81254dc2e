import json

import pytest
from grafana_foundation_sdk.models.dashboard import Dashboard

from examples import CHARTER
from grafana_types import faults
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


def test_grafana_knows_each_key_and_takes_each_value(dashboard):
    """By the types that Grafana Labs generates from the schema of Grafana 11.6."""
    assert faults(dashboard) == []
    panel = Dashboard.from_json(dashboard).panels[0]
    assert type(panel.options).__module__.endswith(
        ".stat"
    )  # so that keys of options are read by its own types
    assert type(panel.targets[0]).__module__.endswith(".prometheus")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda board: board.update(refresch="30s"), ".refresch: is unknown"),
        (lambda board: board.update(editable="yes"), ".editable: 'yes' is no"),
        (lambda board: board["panels"][0]["gridPos"].update(w="6"), ".grid_pos[0].w: '6' is no"),
        (lambda board: board["panels"][0]["targets"][0].update(query="up"), "targets[0].query: is unknown"),
        (lambda board: board["panels"][-1]["options"]["legend"].update(displayMode="long"), "'long' is no"),
        (
            lambda board: board["panels"][0]["options"]["reduceOptions"].update(calc=[]),
            "reduceOptions.calc: is unknown",
        ),
    ],
)
def test_the_check_sees_keys_and_values_that_grafana_has_not(dashboard, change, says):
    change(dashboard)
    assert any(says in fault for fault in faults(dashboard)), faults(dashboard)


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
