"""Small real bundles for tests and benches: a hand-made flight model, and scikit-learn's on its own data."""

import json
from typing import Any

from vitok.model.bundle import Field, Manifest, store_bundle
from vitok.store.blobs import Blobs

CHARTER = """\
project: flights
goal: {statement: Warn early}
task: {type: binary, target: late}
data: {sources: {flights: flights.csv}}
accept: [roc_auc > baseline]
"""
CARRIERS = {"AA": 0.4, "DL": -0.3, "UA": 0.9}
FLIGHT = {"temp": 4.5, "distance": 800, "carrier": "UA", "holiday": False}
FEATURES = '''
import polars as pl


def add_features(frame):
    """Adds what the hour of departure and the distance say."""
    return frame.with_columns(
        hour=pl.col("departure").dt.hour().cast(pl.Float32),
        far=(pl.col("distance") > 1000).cast(pl.Float32),
    )
'''


def manifest(**changes: Any) -> Manifest:
    """The flight model's manifest, with changes."""
    inputs = [
        Field("temp", "number", nullable=True, example=4.5),
        Field("distance", "number", nullable=False, integer=True, example=800),
        Field("carrier", "category", nullable=False, levels=sorted(CARRIERS), example="UA"),
        Field("holiday", "boolean", nullable=True, example=False),
    ]
    values: dict[str, Any] = {
        "format": 1,
        "project": "flights",
        "task": "binary",
        "target": "late",
        "id": "flight",
        "entity": "tail",
        "time": "departure",
        "algorithm": "linear",
        "parameters": {},
        "inputs": inputs,
        "features": inputs,
        "feature_function": None,
        "output": "probabilities",
        "classes": [False, True],
        "positive": 1,
        "threshold": 0.5,
        "files": {},
        "metrics": {"roc_auc": 0.7},
        "parity": 0.0,
        "seed": 0,
        "charter": "0" * 64,
        "data": {},
        "code": {},
        "environment": {},
        "created": "2026-01-01T00:00:00Z",
    }
    return Manifest(**(values | changes))


def flight_graph(weights: dict[str, float], bias: float = 0.0, output: str = "binary") -> bytes:
    """A logistic model as an ONNX graph: numbers have missing set to 0, the carrier its effect.

    Args:
        weights: Effect of each numeric feature.
        output: `binary`, `three` (three classes) or `value`.
    """
    import numpy as np
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, terms = [], ["carrier_effect"]
    constants = {"zero": 0.0, "bias": bias} | {f"weight_{name}": weight for name, weight in weights.items()}
    initializers = [
        numpy_helper.from_array(np.array([[value]], dtype=np.float32), name)
        for name, value in constants.items()
    ]
    inputs = [helper.make_tensor_value_info("carrier", TensorProto.STRING, [None, 1])]
    for name in weights:
        inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]))
        nodes += [
            helper.make_node("IsNaN", [name], [f"{name}_missing"]),
            helper.make_node("Where", [f"{name}_missing", "zero", name], [f"{name}_filled"]),
            helper.make_node("Mul", [f"{name}_filled", f"weight_{name}"], [f"{name}_term"]),
        ]
        terms.append(f"{name}_term")
    nodes.append(
        helper.make_node(
            "LabelEncoder",
            ["carrier"],
            ["carrier_effect"],
            domain="ai.onnx.ml",
            keys_strings=list(CARRIERS),
            values_floats=list(CARRIERS.values()),
            default_float=0.0,
        )
    )
    nodes.append(helper.make_node("Sum", [*terms, "bias"], ["logit"]))
    if output == "value":
        nodes.append(helper.make_node("Identity", ["logit"], ["probabilities"]))
    elif output == "three":
        nodes.append(helper.make_node("Concat", ["zero_like", "logit", "twice"], ["logits"], axis=1))
        nodes.insert(-1, helper.make_node("Sub", ["logit", "logit"], ["zero_like"]))
        nodes.insert(-1, helper.make_node("Add", ["logit", "logit"], ["twice"]))
        nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    else:
        one = numpy_helper.from_array(np.array([[1.0]], dtype=np.float32), "one")
        initializers.append(one)
        nodes += [
            helper.make_node("Sigmoid", ["logit"], ["positive"]),
            helper.make_node("Sub", ["one", "positive"], ["negative"]),
            helper.make_node("Concat", ["negative", "positive"], ["probabilities"], axis=1),
        ]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, None])]
    graph = helper.make_graph(nodes, "flights", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    checker.check_model(model)
    return bytes(model.SerializeToString())


WEIGHTS = {"temp": -0.1, "distance": 0.0005, "holiday": 1.0}


def flight_bundle(
    blobs: Blobs, bias: float = 0.0, output: str = "binary", intervals: Any = None, **changes: Any
) -> str:
    """Stores the flight model, with a table of intervals if there is one; returns the bundle's digest."""
    files = {"model.onnx": flight_graph(WEIGHTS, bias, output)}
    if intervals is not None:
        files["intervals.json"] = json.dumps(intervals.to_json()).encode()
    return store_bundle(blobs, manifest(**changes), files)


def featured_bundle(blobs: Blobs, source: str = FEATURES, **changes: Any) -> str:
    """Stores a flight model with a feature function; returns the bundle's digest."""
    base = manifest()
    inputs = [*base.inputs, Field("departure", "time", nullable=False, example="2013-03-01T06:00:00Z")]
    features = [
        *base.inputs,
        Field("hour", "number", nullable=False, example=6),
        Field("far", "boolean", nullable=False, example=False),
    ]
    changes = {"inputs": inputs, "features": features, "feature_function": "add_features"} | changes
    graph = flight_graph({**WEIGHTS, "hour": 0.05, "far": 0.3})
    return store_bundle(blobs, manifest(**changes), {"model.onnx": graph, "features.py": source.encode()})


def cancer_bundle(blobs: Blobs) -> tuple[str, Any, Any]:
    """Stores boosted trees on scikit-learn's cancer data; returns digest, frame and fitted classifier."""
    import numpy as np
    import polars as pl
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.pipeline import make_pipeline

    from vitok.model.join import join_numbers

    data = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in data.feature_names]  # the converter renames others
    frame = pl.DataFrame(data.data.astype(np.float32), schema=names)
    columns = ColumnTransformer([("all", "passthrough", names)])
    trees = GradientBoostingClassifier(n_estimators=100, random_state=0)
    pipe = make_pipeline(columns, trees).fit(frame, data.target)
    graph = to_onnx(
        pipe,
        initial_types=[(name, FloatTensorType([None, 1])) for name in names],
        options={id(pipe): {"zipmap": False}},
        target_opset={"": 21, "ai.onnx.ml": 3},
    )
    join_numbers(graph, names)
    fields = [Field(name, "number", nullable=False, example=float(frame[name][0])) for name in names]
    described = manifest(
        project="cancer",
        target="benign",
        id=None,
        entity=None,
        time=None,
        algorithm="trees",
        inputs=fields,
        features=fields,
        classes=[0, 1],
    )
    return store_bundle(blobs, described, {"model.onnx": graph.SerializeToString()}), frame, pipe


def write_plan(home: Any, *digests: str, project: str = "flights", share: float = 0.0, **changes: Any) -> Any:
    """Writes a plan into a project's `.vitok` folder: a champion, and a challenger if there are two."""
    from vitok.release.plan import Arm, Plan
    from vitok.store.blobs import write_atomically

    roles = ("champion", "challenger", "shadow")
    parts = (1 - share, share, 0.0)
    arms = tuple(
        Arm(number + 1, digest, role, part)  # type: ignore[arg-type]
        for number, (digest, role, part) in enumerate(zip(digests, roles, parts, strict=False))
    )
    values: dict[str, Any] = {
        "epoch": 1,
        "project": project,
        "strategy": "immediate",
        "arms": arms,
        "verdicts": dict.fromkeys(digests, "accepted"),
        "created": "2026-01-01T00:00:00Z",
    }
    plan = Plan(**(values | changes))
    write_atomically(home / "plan.json", plan.to_json())
    return plan
