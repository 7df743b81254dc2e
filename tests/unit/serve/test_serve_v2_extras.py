"""How sure and why, over the Open Inference Protocol V2: only for those who ask, and the same as the row API says."""

import json

import pytest
from test_serve_app import post

from examples import FLIGHT, flight_bundle, write_plan
from vitok.stats.conformal import Intervals
from vitok.store.blobs import Blobs

INFER = "/v2/models/flights/infer"
SHARES = Intervals(0.9, (0.5,), (0.12345, 0.61111), (0.3, 0.82222))
INPUTS = [
    {"name": "temp", "datatype": "FP32", "shape": [2], "data": [4.5, 60.0]},
    {"name": "distance", "datatype": "INT32", "shape": [2], "data": [800, 800]},
    {"name": "carrier", "datatype": "BYTES", "shape": [2], "data": ["UA", "UA"]},
    {"name": "holiday", "datatype": "BOOL", "shape": [2], "data": [False, False]},
]
ROWS = [FLIGHT, FLIGHT | {"temp": 60.0}]


def planned(home, table=SHARES, output="binary", **changes):
    write_plan(home, flight_bundle(Blobs(home / "blobs"), 0.0, output, table, **changes))
    return home


def infer(home, **asked):
    answer = post(home, INFER, {"inputs": INPUTS, **asked})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return found, {output["name"]: output["data"] for output in found["outputs"]}


def test_nobody_gets_them_unasked(tmp_path):
    found, data = infer(planned(tmp_path))
    assert list(data) == ["score", "decision", "id", "version", "action"]
    assert "parameters" not in found


@pytest.mark.parametrize(
    "asked",
    [
        {"parameters": {"interval": True}},
        {"outputs": [{"name": "interval_low"}, {"name": "interval_high"}]},
        {"outputs": [{"name": "score"}], "parameters": {"interval": True}},
    ],
)
def test_intervals_come_by_name_or_by_parameter(tmp_path, asked):
    found, data = infer(planned(tmp_path), **asked)
    assert data["interval_low"] == [0.61111, 0.12345]
    assert data["interval_high"] == [0.82222, 0.3]
    assert found["parameters"]["interval_level"] == 0.9
    assert ("decision" in data) == ("outputs" not in asked)


def test_a_version_without_a_table_says_that_it_does_not_know(tmp_path):
    found, data = infer(planned(tmp_path, None), parameters={"interval": True})
    assert data["interval_low"] == data["interval_high"] == [None, None]
    assert "interval_level" not in found["parameters"]


def test_of_several_classes_those_that_it_may_be_are_listed(tmp_path):
    table = Intervals(0.95, (), (), (), 0.1)
    home = planned(tmp_path, table, "three", classes=["a", "b", "c"], positive=None)
    _, data = infer(home, parameters={"interval": True})
    rows = post(home, "/models/flights/predict?interval=true", {"rows": ROWS}).json()["predictions"]
    assert [json.loads(text) for text in data["interval_classes"]] == [
        row["interval"]["classes"] for row in rows
    ]


@pytest.mark.parametrize(
    "asked", [{"parameters": {"explanation": True}}, {"outputs": [{"name": "explanation"}]}]
)
def test_explanations_are_those_of_the_row_api(tmp_path, asked):
    home = planned(tmp_path)
    _, data = infer(home, **asked)
    rows = post(home, "/models/flights/explain", {"rows": ROWS}).json()["predictions"]
    assert [json.loads(text) for text in data["explanation"]] == [row["explanation"] for row in rows]


def test_too_many_rows_to_explain_are_refused_before_they_are_scored(tmp_path):
    inputs = [each | {"shape": [66], "data": each["data"] * 33} for each in INPUTS]
    answer = post(planned(tmp_path), INFER, {"inputs": inputs, "parameters": {"explanation": True}})
    assert answer.status_code == 413
    assert "at most 32 with explanations" in answer.json()["error"]


def test_a_question_that_is_neither_true_nor_false_is_refused(tmp_path):
    answer = post(planned(tmp_path), INFER, {"inputs": INPUTS, "parameters": {"interval": "yes"}})
    assert answer.status_code == 400
    assert answer.json()["error"] == "parameters.interval: is 'yes'. Send true or false."
