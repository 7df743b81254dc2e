"""Quality before labels come: what a bundle learns of its own scores, and what that foretells of a window."""

import json
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import polars as pl

from vitok.model.bundle import FORETELLING, Field, Manifest
from vitok.stats.error_model import ErrorModel, estimate_errors, fit_error_model
from vitok.stats.estimates import Estimate
from vitok.stats.scores import Costs, Floats, Scored, Undecidable
from vitok.stats.unlabelled import Answers, Calibration, estimate_unlabelled, fit_calibration
from vitok.store.blobs import Blobs

_BINARY = ("roc_auc", "accuracy", "precision", "recall", "f1", "brier", "log_loss", "profit_per_1000")
_MULTICLASS = ("accuracy",)
# More rows make an estimate of errors hardly surer, and each needs its inputs.
MOST_ROWS = 20_000


class Foreteller(Protocol):
    """What estimates the quality of rows without labels."""

    needs_inputs: bool

    def metrics(self, rows: pl.DataFrame, inputs: pl.DataFrame | None) -> dict[str, Estimate]:
        """Estimates of the metrics that can be told; empty if none can.

        Args:
            rows: Of the journal's predictions, with their scores.
            inputs: Of the same rows, if they are needed.
        """
        ...


def foretelling(task: str, scored: Scored, inputs: pl.DataFrame, fields: Sequence[Field]) -> bytes | None:
    """What a bundle keeps for its estimates, from rows that no fit has seen; None if they are too few.

    Args:
        inputs: Of the same rows, columns by the fields.
    """
    try:
        if task == "regression":
            matrix, categorical = input_matrix(inputs, fields)
            values = scored.scores.astype(np.float64)
            model = fit_error_model(matrix, values, scored.truth.astype(np.float64), categorical=categorical)
            return _bytes({"errors": model.to_json()})
        return _bytes({"calibration": fit_calibration(scored).to_json()})
    except Undecidable:
        return None


def load_foreteller(blobs: Blobs, manifest: Manifest, costs: Costs | None) -> Foreteller | None:
    """The estimates of a bundle, None if it has none.

    Args:
        costs: Money by kind of decision, for the estimated profit.
    """
    if FORETELLING not in manifest.files:
        return None
    found = json.loads(blobs.get(manifest.files[FORETELLING]))
    if "errors" in found:
        return _Errors(ErrorModel.from_json(found["errors"]), manifest.inputs)
    return _Scores(Calibration.from_json(found["calibration"]), manifest, costs)


class _Scores:
    """Of a classifier: its calibrated scores."""

    needs_inputs = False

    def __init__(self, calibration: Calibration, manifest: Manifest, costs: Costs | None) -> None:
        self._calibration, self._manifest, self._costs = calibration, manifest, costs

    def metrics(self, rows: pl.DataFrame, inputs: pl.DataFrame | None) -> dict[str, Estimate]:
        if self._manifest.task == "multiclass":
            known = rows["proba"].drop_nulls()
            return self._estimates(Answers("multiclass", np.array(known.to_list())), _MULTICLASS)
        scores = rows["score"].drop_nulls().to_numpy()
        decisions = (scores >= (self._manifest.threshold or 0.0)).astype(np.int64)
        return self._estimates(Answers("binary", scores, decisions, self._costs), _BINARY)

    def _estimates(self, answers: Answers, names: Sequence[str]) -> dict[str, Estimate]:
        found = {}
        for name in names:
            if name == "profit_per_1000" and answers.costs is None:
                continue
            try:
                found[name] = estimate_unlabelled(name, self._calibration, answers)
            except Undecidable:
                continue
        return found


class _Errors:
    """Of a regression: a model of its errors."""

    needs_inputs = True

    def __init__(self, model: ErrorModel, fields: Sequence[Field]) -> None:
        self._model, self._fields = model, fields

    def metrics(self, rows: pl.DataFrame, inputs: pl.DataFrame | None) -> dict[str, Estimate]:
        assert inputs is not None
        known = rows["score"].is_not_null()
        matrix, _ = input_matrix(inputs.filter(known), self._fields)
        try:
            return estimate_errors(self._model, matrix, rows["score"].filter(known).to_numpy())
        except Undecidable:
            return {}


def input_matrix(inputs: pl.DataFrame, fields: Sequence[Field]) -> tuple[Floats, tuple[int, ...]]:
    """Inputs as numbers, categories as places among the field's levels, and which columns those are."""
    columns: list[pl.Series] = []
    categorical: list[int] = []
    for field in fields:
        if field.kind == "time":
            continue
        if field.kind == "category":
            categorical.append(len(columns))
            places = {level: place for place, level in enumerate(field.levels)}
            column = inputs[field.name].cast(pl.String)
            columns.append(column.replace_strict(places, default=None, return_dtype=pl.Float64))
        else:
            columns.append(inputs[field.name].cast(pl.Float64))
    matrix = np.column_stack([column.fill_null(float("nan")).to_numpy() for column in columns])
    return np.where(np.isinf(matrix), np.nan, matrix), tuple(categorical)


def _bytes(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
