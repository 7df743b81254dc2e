"""Metrics with an influence per row: means, the ranking metrics, and smooth functions of means.

The variance of such a figure is a sum over rows, and of the difference of two models on the same rows the sum
of squared differences: no resampling, O(n log n), the same answer every time (Hampel, JASA 69, 1974).
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vitok.stats.intervals import Influence, Link, delong, quantile
from vitok.stats.scores import Floats, Scored, Undecidable, binary_truth, class_truth, payoffs, probabilities

PERFECT_ALPHA = 0.05


def _mean(values: Floats) -> Influence:
    n = len(values)
    if n < 2:
        raise Undecidable("only one labelled row")
    middle = float(values.mean())
    return Influence(middle, (values - middle) * math.sqrt(n / (n - 1)), free=n - 1)


def _smooth(value: float, rows: Floats, link: Link) -> Influence:
    n = len(rows)
    return Influence(value, rows * math.sqrt(n / (n - 1)), link, free=n - 1)


def perfect_auc_bound(positives: int, negatives: int, alpha: float = PERFECT_ALPHA) -> float:
    """Lower bound of the area when every positive row ranks above every negative one.

    All of m = min(positives, negatives) disjoint pairs are in order, with chance A^m; so A >= alpha^(1/m).

    >>> round(perfect_auc_bound(10, 500), 3)
    0.741
    """
    return float(alpha ** (1 / min(positives, negatives)))


def _ranked(positive: NDArray[np.bool_], scores: NDArray[np.generic]) -> Influence:
    area, rows = delong(positive, scores)
    many, floor = int(np.count_nonzero(positive)), 0.0
    if area in (0.0, 1.0):
        floor = (
            (1 - perfect_auc_bound(many, len(rows) - many)) / quantile(1 - 2 * PERFECT_ALPHA, math.inf)
        ) ** 2
    return Influence(area, rows, "logit", floor)


def roc_auc(scored: Scored) -> Influence:
    """Area under the ROC curve; of several classes the mean over one-versus-rest areas.

    Equal scores for all rows rank nothing: the area is one half, exactly.
    """
    if scored.task == "binary":
        return _ranked(binary_truth(scored), scored.scores)
    classes = scored.scores.shape[1]
    truth = class_truth(scored, classes)
    parts = [_ranked(truth == code, scored.scores[:, code]) for code in range(classes)]
    rows = np.mean([part.rows for part in parts], axis=0)
    floor = float(sum(part.floor for part in parts)) / classes**2
    return Influence(float(np.mean([part.value for part in parts])), rows, "logit", floor)


def pr_auc(scored: Scored) -> Influence:
    """Average precision: the mean, over positive rows, of the precision at their score.

    Influence of row i: its own precision, and what it adds to the precision at every lower cut t,
    (y_i - precision(t)) / share flagged at t; intervals on the logit scale (Boyd et al., ECML 2013).
    """
    positive = binary_truth(scored)
    n, many = len(positive), int(np.count_nonzero(positive))
    order = np.argsort(-scored.scores.astype(np.float64), kind="stable")
    hit, ranked = positive[order].astype(np.float64), scored.scores[order]
    first = np.concatenate([[True], ranked[1:] != ranked[:-1]])
    group = np.cumsum(first) - 1
    start = np.flatnonzero(first)
    end = np.concatenate([start[1:], [n]])[group]
    precision = np.concatenate([[0.0], np.cumsum(hit)])[end] / end
    value = float(np.dot(hit, precision)) / many
    weight = hit * n / end / many
    gain = np.cumsum(weight[::-1])[::-1][start[group]]
    loss = np.cumsum((weight * precision)[::-1])[::-1][start[group]]
    rows = np.empty(n)
    rows[order] = hit * (precision - value) * n / many + hit * gain - loss
    floor = 0.0 if value < 1 else ((1 - _perfect_precision(many, n - many)) / quantile(0.9, math.inf)) ** 2
    return Influence(value, rows, "logit", floor)


def _perfect_precision(positives: int, negatives: int) -> float:
    """Average precision if those negatives ranked on top that may have stayed unseen (rule of three)."""
    unseen = negatives * (1 - PERFECT_ALPHA ** (1 / negatives))
    rank = np.arange(1, positives + 1)
    return float(np.mean(rank / (rank + unseen)))


def log_loss(scored: Scored) -> Influence:
    """Mean of -ln p(true class); p is kept off 0 and 1 by the resolution of the scores' type."""
    p = probabilities(scored)
    eps = float(np.finfo(np.float32 if scored.scores.dtype == np.float32 else np.float64).eps)
    if p.ndim == 1:
        true = np.where(scored.truth.astype(np.int64) == 1, p, 1 - p)
    else:
        true = p[np.arange(len(p)), class_truth(scored, p.shape[1])]
    return _mean(-np.log(np.clip(true, eps, 1 - eps)))


def brier(scored: Scored) -> Influence:
    """Mean of (p - y)^2 (Brier, Monthly Weather Review 78, 1950)."""
    return _mean((probabilities(scored) - (scored.truth.astype(np.int64) == 1)) ** 2)


def profit_per_1000(scored: Scored) -> Influence:
    """Mean money per decision, times 1 000."""
    return _mean(payoffs(scored))


def _errors(scored: Scored) -> Floats:
    return scored.scores.astype(np.float64) - scored.truth.astype(np.float64)


def mae(scored: Scored) -> Influence:
    """Mean absolute error."""
    return _mean(np.abs(_errors(scored)))


def mape(scored: Scored) -> Influence:
    """Mean of |error / true value|.

    Raises:
        Undecidable: a true value is zero, where the relative error does not exist.
    """
    truth = np.abs(scored.truth.astype(np.float64))
    zeros = int(np.count_nonzero(truth == 0))
    if zeros:
        raise Undecidable(f"{zeros} true values are zero, so that relative errors do not exist")
    return _mean(np.abs(_errors(scored)) / truth)


def rmse(scored: Scored) -> Influence:
    """Square root of the mean squared error; delta method on the log scale."""
    squares = _mean(_errors(scored) ** 2)
    value = math.sqrt(squares.value)
    return Influence(value, squares.rows / (2 * value) if value else squares.rows, "log", free=squares.free)


def r2(scored: Scored) -> Influence:
    """1 - SSE/SST; delta method on the scale log(1 - r2).

    Raises:
        Undecidable: all true values are the same.
    """
    truth = scored.truth.astype(np.float64)
    if len(truth) < 2 or truth.min() == truth.max():
        raise Undecidable(f"all {len(truth)} true values are the same")
    missed, spread = _errors(scored) ** 2, (truth - truth.mean()) ** 2
    rest = float(missed.mean() / spread.mean())
    return _smooth(1 - rest, -(missed - rest * spread) / float(spread.mean()), "log_rest")


INFLUENCES: dict[str, Callable[[Scored], Influence]] = {
    "roc_auc": roc_auc,
    "pr_auc": pr_auc,
    "log_loss": log_loss,
    "brier": brier,
    "profit_per_1000": profit_per_1000,
    "mae": mae,
    "rmse": rmse,
    "r2": r2,
    "mape": mape,
}
