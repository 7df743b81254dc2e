import json
import struct
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from test_serve_app import post, scenario

from examples import featured_bundle, flight_bundle, write_plan
from vitok.errors import RequestMistake
from vitok.serve.tensors import NUMBERS, read_infer
from vitok.store.blobs import Blobs

NOW = datetime(2026, 1, 1, tzinfo=UTC)
INFER = "/v2/models/flights/infer"


@pytest.fixture
def home(tmp_path: Path):
    write_plan(tmp_path, flight_bundle(Blobs(tmp_path / "blobs")))
    return tmp_path


def tensor(name, datatype, *data, shape=None):
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": list(data)}


def inputs(**changes):
    found = {
        "temp": tensor("temp", "FP32", 4.5),
        "distance": tensor("distance", "INT32", 800),
        "carrier": tensor("carrier", "BYTES", "UA"),
    }
    return [value for value in (found | changes).values() if value is not None]


def test_json_request_is_answered_with_every_output_and_its_id(home):
    answer = post(home, INFER, {"id": "q", "inputs": inputs(flight=tensor("flight", "INT64", 7))}).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("flights", "1", "q")
    data = {output["name"]: output["data"] for output in answer["outputs"]}
    assert data == {
        "score": [pytest.approx(0.70056713)],
        "decision": ["true"],
        "id": ["7"],
        "version": [1],
        "action": ["model"],
    }


def test_nested_data_null_and_left_out_inputs_are_taken(home):
    nested = tensor("temp", "FP64", [None], shape=[1, 1])
    assert post(home, INFER, {"inputs": inputs(temp=nested)}).status_code == 200
    assert post(home, INFER, {"inputs": inputs(temp=None)}).status_code == 200


def test_time_inputs_reach_the_feature_function(home):
    write_plan(home, featured_bundle(Blobs(home / "blobs")))
    departure = tensor("departure", "BYTES", "2026-01-01T06:00:00Z")
    assert post(home, INFER, {"inputs": inputs(departure=departure)}).status_code == 200


def test_multiclass_and_regression_have_their_outputs(home):
    blobs = Blobs(home / "blobs")
    write_plan(home, flight_bundle(blobs, output="three", classes=["a", "b", "c"], positive=None))
    outputs = post(home, INFER, {"inputs": inputs()}).json()["outputs"]
    assert (outputs[0]["name"], outputs[0]["shape"], len(outputs[0]["data"])) == ("scores", [1, 3], 3)
    write_plan(home, flight_bundle(blobs, output="value", classes=[], positive=None))
    outputs = post(home, INFER, {"inputs": inputs()}).json()["outputs"]
    assert (outputs[1]["datatype"], outputs[1]["data"]) == ("FP64", [pytest.approx(0.85)])
    rows = {"rows": [{"distance": 1, "carrier": "UA"}]}
    assert "score" in post(home, "/models/flights/predict", rows).json()["predictions"][0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distance": None}, "rows[0].distance: is missing"),
        ({"temp": tensor("temp", "BYTES", "4.5")}, "has datatype BYTES, the model takes a number"),
        ({"carrier": tensor("carrier", "FP32", 1)}, "Send BYTES"),
        ({"temp": tensor("temp", "FLOAT", 1)}, "has datatype 'FLOAT'"),
        ({"temp": tensor("temp", "FP32", 1, 2)}, "different numbers of rows: temp 2"),
        ({"temp": tensor("temp", "FP32", 1, shape=[2])}, "has 1 values for shape [2]"),
        ({"temp": tensor("temp", "FP32", 1, shape=[1, 2])}, "has shape [1, 2]"),
        ({"temp": tensor("temp", "FP32", "x")}, 'rows[0].temp: is "x"'),
        ({"temp": {"name": "temp", "datatype": "FP32", "shape": [1]}}, "has no list `data`"),
        ({"tmep": tensor("tmep", "FP32", 1)}, "Did you mean 'temp'?"),
        ({"again": tensor("temp", "FP32", 1)}, "is there twice"),
        ({"temp": tensor("temp", "FP32"), "distance": None, "carrier": None}, "rows: is empty"),
    ],
)
def test_bad_inputs_are_explained(home, changes, message):
    answer = post(home, INFER, {"inputs": inputs(**changes)})
    assert answer.status_code == 400
    assert message in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "is no inference request"),
        (b'{"inputs": [NaN]}', "Send null for a missing value"),
        (json.dumps({"inputs": inputs(), "outputs": [{"name": "label"}]}).encode(), "'label' is no output"),
        (
            json.dumps(
                {"inputs": inputs(), "outputs": [{"name": "score", "parameters": {"classification": 2}}]}
            ).encode(),
            "classification is not offered",
        ),
    ],
)
def test_bad_bodies_are_explained(home, body, message):
    answer = post(home, INFER, body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def binary(parts, **request):
    """A request whose tensors `(name, datatype, count, bytes)` follow the JSON."""
    described = [
        {"name": name, "datatype": kind, "shape": [count], "parameters": {"binary_data_size": len(content)}}
        for name, kind, count, content in parts
    ]
    head = json.dumps({"inputs": described, **request}).encode()
    return head + b"".join(content for *_, content in parts), str(len(head)).encode()


def test_binary_tensors_are_read_and_nan_is_missing():
    body, length = binary(
        [
            ("a", "FP32", 2, struct.pack("<2f", 1.5, float("nan"))),
            ("b", "BYTES", 2, b"\2\0\0\0UA\0\0\0\0"),
            ("c", "BOOL", 2, b"\1\0"),
            ("d", "INT64", 2, struct.pack("<2q", -1, 2**53)),
        ]
    )
    _, columns = read_infer(body, length)
    assert columns == {"a": [1.5, None], "b": ["UA", ""], "c": [True, False], "d": [-1, 2**53]}


@pytest.mark.parametrize("datatype", sorted(NUMBERS))
def test_every_number_type_is_read(datatype):
    content = np.array([3, 4]).astype(NUMBERS[datatype]).tobytes()
    _, columns = read_infer(*binary([("a", datatype, 2, content)]))
    assert columns["a"] == [3, 4]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (("a", "FP32", 1, b"123"), "has 3 bytes of FP32"),
        (("a", "BYTES", 1, b"\5\0\0\0abc"), "ends inside of a string"),
        (("a", "BYTES", 1, b"\5\0"), "ends inside of a string"),
        (("a", "BYTES", 1, b"\1\0\0\0\xff"), "is not UTF-8"),
        (("a", "FP32", 2, b"1234"), "has 1 values for shape [2]"),
    ],
)
def test_damaged_binary_tensors_are_refused(part, message):
    with pytest.raises(RequestMistake) as caught:
        read_infer(*binary([part]))
    assert message in str(caught.value)


def test_lengths_that_contradict_the_body_are_refused():
    body, length = binary([("a", "FP32", 1, b"1234")])
    for wrong, message in [(b"x", "header"), (b"99999", "header"), (b"-1", "header")]:
        with pytest.raises(RequestMistake, match=message):
            read_infer(body, wrong)
    with pytest.raises(RequestMistake, match="1 bytes too many"):
        read_infer(body + b"x", length)
    with pytest.raises(RequestMistake, match="3 bytes are left"):
        read_infer(body[:-1], length)


def test_binary_answer_names_its_length(home):
    request = {"inputs": inputs(), "parameters": {"binary_data_output": True}}
    answer = post(home, INFER, request)
    length = int(answer.headers["inference-header-content-length"])
    outputs = json.loads(answer.content[:length])["outputs"]
    sizes = [output["parameters"]["binary_data_size"] for output in outputs]
    assert sum(sizes) == len(answer.content) - length
    assert struct.unpack("<f", answer.content[length : length + 4])[0] == pytest.approx(0.70056713)


def test_one_output_may_be_binary_and_another_json(home):
    outputs = [{"name": "decision"}, {"name": "score", "parameters": {"binary_data": True}}]
    answer = post(home, INFER, {"inputs": inputs(), "outputs": outputs})
    length = int(answer.headers["inference-header-content-length"])
    decision, score = json.loads(answer.content[:length])["outputs"]
    assert decision["data"] == ["true"]
    assert score["parameters"] == {"binary_data_size": 4}


def test_shadow_or_challenger_can_be_asked_by_version(home):
    blobs = Blobs(home / "blobs")
    write_plan(home, flight_bundle(blobs), flight_bundle(blobs, bias=5.0))
    body = json.dumps({"inputs": inputs()}).encode()

    async def work(app, client):
        return [await client.post(f"/v2/models/flights/versions/{n}/infer", content=body) for n in (1, 2)]

    one, two = (answer.json() for answer in scenario(home, work))
    assert (one["model_version"], two["model_version"]) == ("1", "2")
    assert two["outputs"][0]["data"][0] > one["outputs"][0]["data"][0]
