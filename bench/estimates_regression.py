"""Errors of a regression estimated without labels, beside NannyML's DLE on the used cars that it ships.

Both learn the loss of a row from features and prediction: prices of 60 000 cars, then 60 000 later ones in chunks.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from vitok.stats.error_model import estimate_errors, fit_error_model
from vitok.stats.estimates import estimate
from vitok.stats.scores import Scored

DATA = "used cars"
METRICS = ["mae", "rmse"]
NUMBERS = ["car_age", "km_driven", "price_new", "accident_count", "door_count"]
LEVELS = ["fuel", "transmission"]
COLUMNS = {"truth": "y_true", "predicted": "y_pred", "features": [*NUMBERS, *LEVELS]}
_FILES = "regression_synthetic_{}.csv"


def _load(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    reference, later, labels = (
        pl.read_csv(folder / _FILES.format(each)) for each in ("reference", "analysis", "analysis_targets")
    )
    return reference, later.join(labels, on="id", how="left", maintain_order="left")


def _features(rows: pl.DataFrame, levels: dict[str, dict[str, int]]) -> np.ndarray:
    coded = [
        rows[name].replace_strict(levels[name], default=None, return_dtype=pl.Float64) for name in LEVELS
    ]
    columns = [*(rows[name].cast(pl.Float64) for name in NUMBERS), *coded]
    return np.column_stack([column.fill_null(float("nan")).to_numpy() for column in columns])


def measured(folder: Path, peer: dict[str, Any], chunks: Sequence[slice]) -> list[dict[str, Any]]:
    """One row for each engine and metric.

    Args:
        folder: Where NannyML's data lie.
        peer: NannyML's answer: values by metric, and CPU seconds.
        chunks: The rows of each chunk.
    """
    reference, later = _load(folder)
    levels = {
        name: {each: place for place, each in enumerate(reference[name].unique().sort())} for name in LEVELS
    }

    def scored(rows: pl.DataFrame) -> Scored:
        return Scored("regression", rows["y_true"].cast(pl.Float64).to_numpy(), rows["y_pred"].to_numpy())

    real = np.array([[estimate(each, scored(later[place])).value for each in METRICS] for place in chunks])
    carried = np.array([estimate(each, scored(reference)).value for each in METRICS])
    started = time.process_time()
    known = scored(reference)
    categorical = tuple(range(len(NUMBERS), len(NUMBERS) + len(LEVELS)))
    model = fit_error_model(_features(reference, levels), known.scores, known.truth, categorical=categorical)
    told = []
    for place in chunks:
        rows = later[place]
        found = estimate_errors(model, _features(rows, levels), rows["y_pred"].cast(pl.Float64).to_numpy())
        told.append([found[each] for each in METRICS])
    spent = time.process_time() - started
    held = np.array(
        [
            [each.low <= value <= each.high for each, value in zip(row, values, strict=True)]
            for row, values in zip(told, real, strict=True)
        ]
    )
    mine = np.array([[each.value for each in row] for row in told])
    theirs = np.array([peer["values"][metric] for metric in METRICS]).T
    engines: dict[str, tuple[np.ndarray, float | None, np.ndarray | None]] = {
        "carried on": (np.tile(carried, (len(real), 1)), None, None),
        "nannyml": (theirs, peer["cpu_s"], None),
        "vitok": (mine, spent, held),
    }
    return [
        {
            "engine": engine,
            "data": DATA,
            "metric": metric,
            "chunks": len(real),
            "mean_absolute_error": round(float(np.abs(values - real)[:, column].mean()), 3),
            "bias": round(float((values - real)[:, column].mean()), 3),
            "realised_in_90_percent_interval": None
            if inside is None
            else round(float(inside[:, column].mean()), 2),
            "cpu_s": None if cpu is None else round(cpu, 1),
        }
        for engine, (values, cpu, inside) in engines.items()
        for column, metric in enumerate(METRICS)
    ]
