"""Leaks: single features that tell the target."""

from dataclasses import dataclass

import numpy as np
import polars as pl

_ROWS = 20_000
_BINS = 64
_AUC, _ACCURACY, _R2 = 0.995, 0.995, 0.995


@dataclass(frozen=True, slots=True)
class Leak:
    """A feature that by itself nearly determines the target.

    Args:
        column: Its name.
        measure: What was measured on rows that were not used to find the rule.
        value: The figure.
    """

    column: str
    measure: str
    value: float


def find_leaks(frame: pl.DataFrame, truth: np.ndarray, classes: int, seed: int) -> list[Leak]:
    """Finds features that alone predict the target almost perfectly on held-out rows.

    Each feature is cut into at most 64 bins (texts: levels) on one half of a sample; the mean target of each bin
    is the prediction for the other half.

    Args:
        frame: Features only.
        truth: Codes or values, shape (n,).
        classes: 2 binary, more: multiclass, 0: regression.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(truth))[:_ROWS]
    half = len(rows) // 2
    if half < 20:
        return []
    learn, judge = rows[:half], rows[half:]
    leaks = []
    for series in frame:
        codes = _bins(series, learn)
        if codes is None:
            continue
        leak = _judge(series.name, codes[learn], truth[learn], codes[judge], truth[judge], classes)
        if leak is not None:
            leaks.append(leak)
    return leaks


def _bins(series: pl.Series, learn: np.ndarray) -> np.ndarray | None:
    """A bin number for each row; missing values are a bin of their own."""
    if series.dtype.is_numeric():
        values = series.cast(pl.Float64).fill_null(np.nan).to_numpy()
        distinct = np.unique(values[learn][np.isfinite(values[learn])])
        if len(distinct) > _BINS:
            distinct = np.unique(np.quantile(distinct, np.linspace(0, 1, _BINS + 1)))
        edges = (distinct[1:] + distinct[:-1]) / 2 if len(distinct) > 1 else distinct
        return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values))
    if series.dtype in (pl.String, pl.Boolean):
        return series.cast(pl.String).fill_null("\0").rank("dense").cast(pl.Int64).to_numpy()
    return None


def _judge(
    name: str, learn: np.ndarray, truth: np.ndarray, judge: np.ndarray, judged: np.ndarray, classes: int
) -> Leak | None:
    size = int(max(learn.max(), judge.max())) + 1
    counts = np.bincount(learn, minlength=size)
    if classes > 2:
        table = np.zeros((size, classes))
        np.add.at(table, (learn, truth.astype(int)), 1)
        predicted = np.where(counts[judge] > 0, table.argmax(axis=1)[judge], -1)
        accuracy = float((predicted == judged).mean())
        return Leak(name, "accuracy", accuracy) if accuracy >= _ACCURACY else None
    mean = np.bincount(learn, weights=truth, minlength=size) / np.maximum(counts, 1)
    predicted = np.where(counts[judge] > 0, mean[judge], truth.mean())
    if classes == 2:
        auc = _auc(judged, predicted)
        return Leak(name, "AUC", auc) if auc >= _AUC else None
    spread = float(((judged - judged.mean()) ** 2).sum())
    r2 = 1 - float(((judged - predicted) ** 2).sum()) / spread if spread else 0.0
    return Leak(name, "R2", r2) if r2 >= _R2 else None


def _auc(truth: np.ndarray, scores: np.ndarray) -> float:
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return 0.0
    ranks = pl.Series(scores).rank("average").to_numpy()
    return float((ranks[truth == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))
