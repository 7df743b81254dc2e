import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_serve_app import post

from examples import FLIGHT, cancer_bundle, flight_bundle, write_plan
from vitok.model.bundle import Field
from vitok.model.runtime import load_model
from vitok.model.schema import RequestSchema
from vitok.serve.explain import EXACT_INPUTS, explain_row, typical_row
from vitok.store.blobs import Blobs

numbers = st.floats(-3, 3)


def pair(width):
    rows = st.tuples(*[numbers] * width)
    return st.tuples(rows, rows)


def named(values):
    return {f"x{place}": value for place, value in enumerate(values)}


def tangled(rows):
    """A score in which every input matters for what the others do."""
    matrix = np.array([list(row.values()) for row in rows])
    return np.tanh(matrix.sum(axis=1)) + matrix[:, 0] * matrix[:, -1]


@given(pair(4))
def test_contributions_sum_to_the_score_less_the_base(pairs):
    row, background = map(named, pairs)
    found = explain_row(tangled, row, background, list(row))
    assert found.base == pytest.approx(tangled([background])[0])
    assert found.base + sum(found.contributions.values()) == pytest.approx(tangled([row])[0])


@given(pair(EXACT_INPUTS + 3), st.integers(0, 5))
def test_sampled_contributions_sum_exactly_too_and_are_repeatable(pairs, seed):
    row, background = map(named, pairs)
    found = explain_row(tangled, row, background, list(row), seed)
    assert found.base + sum(found.contributions.values()) == pytest.approx(tangled([row])[0])
    assert found == explain_row(tangled, row, background, list(row), seed)


@pytest.mark.parametrize("width", [4, EXACT_INPUTS + 12])
def test_linear_models_are_explained_exactly(width):
    weights = np.arange(width) - 3.0
    row, background = named(np.linspace(1, 2, width)), named(np.zeros(width))
    found = explain_row(
        lambda rows: np.array([list(r.values()) for r in rows]) @ weights, row, background, list(row)
    )
    assert list(found.contributions.values()) == pytest.approx(list(weights * np.linspace(1, 2, width)))


def test_sampled_values_are_near_the_exact_ones():
    row, background = named(np.linspace(-1, 1, EXACT_INPUTS)), named(np.full(EXACT_INPUTS, 0.3))
    exact = explain_row(tangled, row, background, list(row)).contributions
    wider = {**row, **{f"y{place}": 1 for place in range(4)}}

    def ignore_more(rows):
        return tangled([{name: row[name] for name in row if name.startswith("x")} for row in rows])

    against = {**background, **{f"y{place}": 0 for place in range(4)}}
    sampled = explain_row(ignore_more, wider, against, list(wider))
    assert sampled.method == "sampled"
    assert [sampled.contributions[name] for name in exact] == pytest.approx(list(exact.values()), abs=0.05)
    assert [sampled.contributions[f"y{place}"] for place in range(4)] == pytest.approx([0] * 4)


def test_typical_row_has_medians_and_most_frequent_levels():
    fields = [
        Field("a", "number", nullable=False, example=1.0),
        Field("n", "number", nullable=False, integer=True, example=1),
        Field("c", "category", nullable=False, example="x"),
        Field("b", "boolean", nullable=True, example=True),
        Field("t", "time", nullable=False, example="2026-01-01T00:00:00Z"),
    ]
    numeric = {"kind": "numeric", "edges": [0, 1, 3, 3]}
    category = {"kind": "category", "levels": ["u", "v"]}
    reference = {
        "bins": {"a": numeric, "n": numeric, "c": category, "b": category | {"levels": ["false", "true"]}},
        "profile": {
            "columns": {
                "a": {"counts": [2, 5, 1]},
                "n": {"counts": [1, 1, 9]},
                "c": {"counts": [1, 2]},
                "b": {"counts": [5, 1]},
            }
        },
    }
    assert typical_row(fields, reference) == {"a": 2.0, "n": 3, "c": "v", "b": False, "t": fields[-1].example}
    assert typical_row(fields, None)["c"] == "x"


def test_explained_rows_are_answered_as_without(tmp_path):
    write_plan(tmp_path, flight_bundle(Blobs(tmp_path / "blobs")))
    rows = [FLIGHT | {"carrier": "DL", "temp": None, "flight": "a"}, FLIGHT]
    answer = post(tmp_path, "/models/flights/explain", {"rows": rows}).json()
    plain = post(tmp_path, "/models/flights/predict", {"rows": rows}).json()
    for found, same in zip(answer["predictions"], plain["predictions"], strict=True):
        explanation = found.pop("explanation")
        found["id"] = same["id"]
        assert found == same
        assert explanation["typical_row"] == FLIGHT
        total = explanation["base"] + sum(explanation["contributions"].values())
        assert total == pytest.approx(found["score"], abs=1e-6)
    assert explanation["contributions"] == dict.fromkeys(FLIGHT, 0.0)


def test_several_classes_explain_the_likeliest(tmp_path):
    digest = flight_bundle(Blobs(tmp_path / "blobs"), output="three", classes=["a", "b", "c"], positive=None)
    write_plan(tmp_path, digest)
    answer = post(tmp_path, "/models/flights/explain", {"rows": [FLIGHT | {"temp": -9.0}]}).json()
    (found,) = answer["predictions"]
    explanation = found["explanation"]
    assert explanation["class"] == found["decision"]
    total = explanation["base"] + sum(explanation["contributions"].values())
    assert total == pytest.approx(found["scores"][found["decision"]], abs=1e-6)


def test_too_many_rows_are_refused(tmp_path):
    write_plan(tmp_path, flight_bundle(Blobs(tmp_path / "blobs")))
    answer = post(tmp_path, "/models/flights/explain", {"rows": [FLIGHT] * 33})
    assert (answer.status_code, "at most 32" in answer.json()["error"]) == (413, True)


def test_trees_of_thirty_inputs_are_explained_by_samples(tmp_path):
    blobs = Blobs(tmp_path)
    digest, frame, _ = cancer_bundle(blobs)
    model = load_model(blobs, digest)
    schema = RequestSchema(model.manifest)
    rows = frame.to_dicts()
    found = explain_row(
        lambda many: model.score(schema.check(many)),
        rows[0],
        rows[100],
        [f.name for f in model.manifest.inputs],
    )
    scores = model.score(schema.check([rows[100], rows[0]]))
    assert found.method == "sampled"
    assert found.base == pytest.approx(scores[0])
    assert sum(found.contributions.values()) == pytest.approx(scores[1] - scores[0], abs=1e-6)
