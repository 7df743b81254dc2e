import math
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from examples import CARRIERS, FLIGHT, WEIGHTS, featured_bundle, flight_bundle, flight_graph, manifest
from vitok.errors import DataMistake, Fault, NotFound
from vitok.model.bundle import store_bundle
from vitok.model.runtime import input_frame, load_model
from vitok.model.schema import RequestSchema

ROWS = [FLIGHT, {"temp": None, "distance": 100.0, "carrier": "ZZ", "holiday": True}]


def score(model, rows):
    return model.score(RequestSchema(model.manifest).check(rows))


def expected(row, bias=0.0):
    logit = CARRIERS.get(row["carrier"], 0.0) + bias
    logit += sum(weight * float(row[name] or 0) for name, weight in WEIGHTS.items())
    return 1 / (1 + math.exp(-logit))


def test_scores_are_the_models_and_the_same_for_rows_and_frames(blobs):
    model = load_model(blobs, flight_bundle(blobs))
    scores = score(model, ROWS)
    np.testing.assert_allclose(scores, [expected(row) for row in ROWS], rtol=1e-6)
    np.testing.assert_array_equal(scores, model.score_frame(pl.DataFrame(ROWS)))
    assert model.decide(scores) == [score >= 0.5 for score in scores]


def test_long_frame_is_scored_in_chunks(blobs):
    model = load_model(blobs, flight_bundle(blobs))
    frame = pl.concat([pl.DataFrame(ROWS)] * 50_001)
    scores = model.score_frame(frame)
    assert scores.shape == (100_002,)
    np.testing.assert_array_equal(scores[:2], scores[-2:])
    assert model.score_frame(frame.clear()).shape == (0,)


def test_threshold_of_the_manifest_decides(blobs):
    model = load_model(blobs, flight_bundle(blobs, threshold=0.9))
    assert model.decide(np.array([0.89, 0.9])) == [False, True]


def test_multiclass_gives_all_probabilities_and_the_likeliest_class(blobs):
    model = load_model(blobs, flight_bundle(blobs, output="three", classes=["a", "b", "c"], positive=None))
    scores = score(model, ROWS)
    assert scores.shape == (2, 3)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)
    assert model.decide(scores) == ["c", "c"]
    assert model.score_frame(pl.DataFrame(ROWS).clear()).shape == (0, 3)


def test_regression_gives_values(blobs):
    model = load_model(
        blobs, flight_bundle(blobs, output="value", classes=[], positive=None, task="regression")
    )
    assert model.decide(score(model, [FLIGHT])) == [pytest.approx(0.85)]


def test_feature_function_runs_on_rows_and_frames_alike(blobs):
    model = load_model(blobs, featured_bundle(blobs))
    model.warm_up()
    row = FLIGHT | {"departure": "2013-03-01T17:30:00Z"}
    frame = pl.DataFrame([FLIGHT | {"departure": datetime(2013, 3, 1, 17, 30, tzinfo=UTC)}])
    np.testing.assert_array_equal(score(model, [row]), model.score_frame(frame))
    assert score(model, [row])[0] > score(model, [row | {"departure": "2013-03-01T01:00:00Z"}])[0]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def add_features(frame):\n    return frame", "feature 'hour' is missing"),
        ("def add_features(frame):\n    return frame.head(0)", "gives 0 rows for 1"),
        ("def add_features(frame):\n    raise ValueError('no')", "fails: ValueError: no"),
        ("def other(frame):\n    return frame", "has no function"),
        ("def add_features(", "does not run: SyntaxError"),
    ],
)
def test_broken_feature_function_is_a_fault_that_names_the_version(blobs, source, message):
    digest = featured_bundle(blobs, source)
    with pytest.raises(Fault) as caught:
        load_model(blobs, digest, version=7).warm_up()
    assert message in str(caught.value)
    assert "model flights version 7" in str(caught.value)


def test_output_that_is_no_number_is_a_fault(blobs):
    model = load_model(blobs, flight_bundle(blobs, bias=float("nan")), version=3)
    with pytest.raises(Fault, match="model flights version 3: gave"):
        score(model, [FLIGHT])


def test_missing_or_mistyped_column_of_a_frame_is_named(blobs):
    model = load_model(blobs, flight_bundle(blobs))
    frame = pl.DataFrame(ROWS)
    with pytest.raises(DataMistake, match="'temp': is missing"):
        model.score_frame(frame.drop("temp"))
    with pytest.raises(DataMistake, match="'temp'"):
        model.score_frame(frame.with_columns(temp=pl.lit("warm")))


def test_inputs_get_the_types_that_feature_functions_see(blobs):
    fields = load_model(blobs, featured_bundle(blobs)).manifest.inputs
    frame = pl.DataFrame(
        {
            "temp": [1],
            "distance": [2.0],
            "carrier": pl.Series(["UA"], dtype=pl.Categorical),
            "holiday": [None],
            "departure": ["2013-03-01"],
        }
    )
    kinds = input_frame(fields, frame).dtypes
    assert kinds == [pl.Float64, pl.Float64, pl.String, pl.Boolean, pl.Datetime("us", "UTC")]


def test_damaged_or_unfitting_bundle_is_not_loaded(blobs):
    digest = flight_bundle(blobs)
    with pytest.raises(NotFound):
        load_model(blobs, "0" * 64)
    graph = load_model(blobs, digest).manifest.files["model.onnx"]
    path = blobs.folder / graph[:2] / graph
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(Fault, match="differ from their digest"):
        load_model(blobs, digest)
    with pytest.raises(Fault, match="does not fit the manifest"):
        load_model(
            blobs, store_bundle(blobs, manifest(output="label"), {"model.onnx": flight_graph(WEIGHTS, 1.0)})
        )
    with pytest.raises(Fault, match="cannot be loaded"):
        load_model(blobs, store_bundle(blobs, manifest(), {"model.onnx": b"no graph"}))


def test_model_without_feature_function_needs_no_polars(blobs):
    digest = flight_bundle(blobs)
    code = f"""
import sys
from pathlib import Path
from vitok.model.runtime import load_model
from vitok.store.blobs import Blobs
load_model(Blobs(Path({str(blobs.folder)!r})), {digest!r}).warm_up()
assert "polars" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
