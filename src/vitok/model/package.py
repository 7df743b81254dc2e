"""Packaging: a fitted pipeline becomes one ONNX graph, and the two are held against each other."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from vitok.errors import Refused
from vitok.model.features import slots
from vitok.model.join import join_numbers
from vitok.model.runtime import NUMBERS, joined_numbers
from vitok.stats.catalogue import TaskKind

PARITY_LIMIT = 1e-5
_PARITY_ROWS = 20_000
_OPSET = {"": 21, "ai.onnx.ml": 3}


@dataclass(frozen=True, slots=True)
class Graph:
    """A converted model.

    Args:
        content: The ONNX file.
        output: Name of the output with probabilities (n, k) or values (n, 1).
        parity: Largest difference from the fitted pipeline on the checked rows; for regression relative to the
            spread of its predictions.
    """

    content: bytes
    output: str
    parity: float


def convert(pipeline: Any, sample: pl.DataFrame, kinds: dict[str, str], task: TaskKind) -> Graph:
    """Converts a fitted pipeline, preprocessing included, and checks that both give the same answers.

    Args:
        pipeline: Fitted scikit-learn pipeline.
        sample: Encoded rows, columns named by their slots; the check adds rows with everything missing and with
            unseen categories.
        kinds: Kind of each feature, in order.

    Raises:
        Refused: the answers differ by more than 1e-5, or are not finite.
    """
    content, output = _to_onnx(pipeline, kinds, task)
    rows = _hard_rows(sample, kinds)
    expected = _expected(pipeline, rows, task)
    found = _run(content, output, rows, kinds)
    if not np.isfinite(found).all():
        raise Refused(
            "packaging",
            "the graph gives answers that are not finite",
            "Report it with the charter's candidate.",
        )
    scale = max(1.0, float(np.ptp(expected))) if task == "regression" else 1.0
    parity = float(np.abs(found - expected).max()) / scale
    if parity > PARITY_LIMIT:
        raise Refused(
            "packaging",
            f"the graph differs from the trained pipeline by {parity:.2g}, at "
            f"most {PARITY_LIMIT:g} is allowed",
            "Take another candidate; this one cannot be shipped as it was judged.",
        )
    return Graph(content, output, parity)


def _to_onnx(pipeline: Any, kinds: dict[str, str], task: TaskKind) -> tuple[bytes, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converters warn of their own dependencies
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType, StringTensorType

        _register_lightgbm()
        inputs = [
            (slot, (StringTensorType if kinds[name] == "category" else FloatTensorType)([None, 1]))
            for name, slot in slots(kinds).items()
        ]
        options = {} if task == "regression" else {id(pipeline): {"zipmap": False}}
        model = to_onnx(pipeline, initial_types=inputs, options=options, target_opset=_OPSET)
    _rename_inputs(model.graph, {slot: name for name, slot in slots(kinds).items()})
    join_numbers(model, [name for name, kind in kinds.items() if kind != "category"])
    return model.SerializeToString(), "variable" if task == "regression" else "probabilities"


def _rename_inputs(graph: Any, names: dict[str, str]) -> None:
    """Gives the graph's inputs the features' own names, which is how requests call them."""
    for value in graph.input:
        value.name = names[value.name]
    for node in graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = names.get(name, name)


def _register_lightgbm() -> None:
    from lightgbm import LGBMClassifier, LGBMRegressor
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    update_registered_converter(
        LGBMClassifier,
        "LightGbmLGBMClassifier",
        calculate_linear_classifier_output_shapes,
        convert_lightgbm,
        options=options,
    )
    update_registered_converter(
        LGBMRegressor,
        "LightGbmLGBMRegressor",
        calculate_linear_regressor_output_shapes,
        convert_lightgbm,
        options={"split": None},
    )


def _hard_rows(sample: pl.DataFrame, kinds: dict[str, str]) -> pl.DataFrame:
    """The sample, one row with everything missing, and its first rows with unseen categories."""
    rows = sample.head(_PARITY_ROWS)
    names = slots(kinds)
    gap = pl.Series([float("nan")], dtype=pl.Float32)
    nothing = pl.DataFrame({names[name]: [""] if kind == "category" else gap for name, kind in kinds.items()})
    texts = [names[name] for name, kind in kinds.items() if kind == "category"]
    unseen = rows.head(100).with_columns(pl.lit("\u2205 unseen").alias(name) for name in texts)
    return pl.concat([rows, nothing.select(rows.columns), unseen])


def _expected(pipeline: Any, rows: pl.DataFrame, task: TaskKind) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if task == "regression":
            return np.asarray(pipeline.predict(rows), dtype=np.float64).reshape(-1, 1)
        return np.asarray(pipeline.predict_proba(rows), dtype=np.float64)


def _run(content: bytes, output: str, rows: pl.DataFrame, kinds: dict[str, str]) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    wanted = {value.name for value in session.get_inputs()}
    names = slots(kinds)
    inputs = {
        name: rows[names[name]].to_numpy().astype(object if kind == "category" else np.float32).reshape(-1, 1)
        for name, kind in kinds.items()
    }
    if NUMBERS in wanted:
        inputs[NUMBERS] = np.hstack([inputs[name] for name in joined_numbers(session)])
    fed = {name: values for name, values in inputs.items() if name in wanted}
    return np.asarray(session.run([output], fed)[0], dtype=np.float64)
