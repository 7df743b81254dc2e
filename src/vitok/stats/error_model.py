"""The quality of a regression on rows whose labels have not come: its loss, learned from rows that have theirs.

Direct loss estimation (DLE, as NannyML calls it): trees learn |error| and squared error from features and
prediction. Like every estimate without labels it sees other rows, not another world: under concept drift it is wrong.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitok.stats.estimates import Estimate
from vitok.stats.intervals import Influence, influence_interval, jackknife_error
from vitok.stats.scores import Floats, Undecidable

LEAST_REFERENCE = 500
LEAST_WINDOW = 30
_FOLDS = 5
# Of many rows more can be learned, and the texts may be megabytes: (trees, their settings).
_MANY = 15_000
_FEW_ROWS = (40, {"learning_rate": 0.12, "num_leaves": 8, "min_data_in_leaf": 50})
_MANY_ROWS = (150, {"learning_rate": 0.08, "num_leaves": 31, "min_data_in_leaf": 30})
_SETTINGS = {
    "objective": "regression",
    "lambda_l2": 1.0,
    "max_cat_to_onehot": 8,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
}


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """What is expected of |error| and squared error, by features and prediction.

    Args:
        absolute: One text of LightGBM for each fold that was left out.
        squared: Likewise.
        absolute_spread: Standard deviation of |error| about what is expected, as a multiple of it.
        squared_spread: Likewise of the squared error.
        columns: Number of features.
        rows: Reference rows.
    """

    absolute: tuple[str, ...]
    squared: tuple[str, ...]
    absolute_spread: float
    squared_spread: float
    columns: int
    rows: int

    def to_json(self) -> dict[str, Any]:
        """The model as JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(value: dict[str, Any]) -> "ErrorModel":
        """Reads a model."""
        return ErrorModel(
            **{**value, "absolute": tuple(value["absolute"]), "squared": tuple(value["squared"])}
        )


def fit_error_model(
    features: Floats, predicted: Floats, truth: Floats, *, categorical: tuple[int, ...] = (), seed: int = 0
) -> ErrorModel:
    """Learns the loss from labelled rows that the regression was not trained on.

    Args:
        features: Shape (n, f): numbers, NaN where missing; categories as codes from 0.
        predicted: Shape (n,).
        truth: Shape (n,).
        categorical: Which columns are categories.
        seed: Of the folds.

    Raises:
        Undecidable: fewer than 500 rows, values missing or infinite, all predictions the same or without error.
    """
    rows = _rows(features, predicted)
    if len(truth) != len(predicted) or not np.isfinite(truth).all():
        raise Undecidable("true values are missing or infinite, or not as many as predictions")
    if len(rows) < LEAST_REFERENCE:
        raise Undecidable(f"{len(rows)} reference rows are too few, {LEAST_REFERENCE} are needed")
    if predicted.min() == predicted.max():
        raise Undecidable(f"all {len(rows)} predictions are the same")
    error = np.abs(truth - predicted)
    if not error.any():
        raise Undecidable(f"no error among {len(rows)} reference rows, so that none can be learned")
    fold = np.random.default_rng(seed).permutation(len(rows)) % _FOLDS
    absolute, spread = _folds(rows, error, fold, categorical)
    squared, squared_spread = _folds(rows, error**2, fold, categorical)
    return ErrorModel(absolute, squared, spread, squared_spread, features.shape[1], len(rows))


def estimate_errors(
    model: ErrorModel, features: Floats, predicted: Floats, *, level: float = 0.90
) -> dict[str, Estimate]:
    """`mae` and `rmse` that these rows are expected to have once their true values are known.

    The intervals are for the figures that will then be realised on these very rows. They hold the scatter of single
    errors and the error of the learned loss, by leaving out each fold (delete-a-group jackknife: Kott, J. Official
    Statistics 17, 2001).

    Args:
        model: Of the same regression, from `fit_error_model`.
        features: Shape (n, f), as the model was fitted.
        predicted: Shape (n,).
        level: Of the central intervals.

    Raises:
        Undecidable: fewer than 30 rows, other columns, values missing or infinite.
    """
    rows = _rows(features, predicted)
    if features.shape[1] != model.columns:
        raise Undecidable(f"{features.shape[1]} features, the error model knows {model.columns}")
    if len(rows) < LEAST_WINDOW:
        raise Undecidable(f"{len(rows)} rows are too few to estimate by, {LEAST_WINDOW} are needed")
    mean = _figure(model.absolute, model.absolute_spread, rows)
    square = _figure(model.squared, model.squared_spread, rows)
    root = math.sqrt(square.value)
    rooted = Influence(root, square.rows / (2 * root), "log", square.floor / (4 * square.value), square.free)
    return {
        name: Estimate(each.value, *influence_interval(each, level), len(rows), "learned loss")
        for name, each in (("mae", mean), ("rmse", rooted))
    }


def _rows(features: Floats, predicted: Floats) -> Floats:
    if features.ndim != 2 or len(features) != len(predicted):
        raise Undecidable(f"{len(predicted)} predictions, but another number of rows of features")
    if not np.isfinite(predicted).all() or np.isinf(features).any():
        raise Undecidable("predictions are missing or infinite, or features are infinite")
    return np.column_stack([features, predicted]).astype(np.float64)


def _folds(
    rows: Floats, loss: Floats, fold: NDArray[np.int64], categorical: tuple[int, ...]
) -> tuple[tuple[str, ...], float]:
    """One model without each fold, and the spread of the losses about what the others expect of them."""
    import lightgbm  # slow to import, and only regressions need it

    count, size = _MANY_ROWS if len(rows) >= _MANY else _FEW_ROWS
    texts, expected = [], np.empty(len(rows))
    for held in range(_FOLDS):
        learn = fold != held
        data = lightgbm.Dataset(rows[learn], loss[learn], categorical_feature=list(categorical))
        trees = lightgbm.train({**_SETTINGS, **size}, data, count)
        expected[~learn] = _positive(trees.predict(rows[~learn]))
        texts.append(trees.model_to_string())
    return tuple(texts), math.sqrt(float(np.mean((loss - expected) ** 2) / np.mean(expected**2)))


def _positive(expected: Floats) -> Floats:
    """A sum of trees can fall below zero, where no loss is."""
    return np.maximum(np.asarray(expected, dtype=np.float64), 0.0)


def _figure(texts: tuple[str, ...], spread: float, rows: Floats) -> Influence:
    import lightgbm

    found = np.array([_positive(lightgbm.Booster(model_str=text).predict(rows)) for text in texts])
    means = found.mean(axis=1)
    value = float(means.mean())
    if value <= 0:
        raise Undecidable("the learned loss of these rows is zero")
    return Influence(value, spread * found.mean(axis=0), "log", jackknife_error(means) ** 2)
