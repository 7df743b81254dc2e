"""Every metric of the catalogue with its interval, for one model and for the difference of two."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitok.stats.calibration import calibration_difference, calibration_error
from vitok.stats.catalogue import METRICS
from vitok.stats.influence import INFLUENCES
from vitok.stats.intervals import Influence, bootstrap_cells, influence_interval, wilson
from vitok.stats.scores import Floats, Scored, Undecidable, checked, confusion, decisions_of

__all__ = ["Estimate", "Undecidable", "estimate", "estimate_difference"]

# The interval of a mean or of a root can reach beyond what the metric can be; those of shares cannot.
_CUT = frozenset({"log_loss", "brier", "mae", "rmse", "mape", "calibration_error"})
_METHODS = {"roc_auc": "DeLong", "pr_auc": "influence", "rmse": "delta", "r2": "delta"}
_MACRO_REPLICATES = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its central interval.

    Args:
        value: The figure on these rows.
        low: Lower bound; at the level .90 the truth lies below it in at most 5 % of cases.
        high: Upper bound, likewise.
        rows: How many labelled rows it rests on.
        method: How the interval was made.
    """

    value: float
    low: float
    high: float
    rows: int
    method: str

    def as_json(self) -> dict[str, Any]:
        """The estimate as JSON values."""
        return asdict(self)


def estimate(metric: str, scored: Scored, *, level: float = 0.90, seed: int = 0) -> Estimate:
    """A metric of one model with its interval.

    Args:
        metric: A name of the catalogue.
        scored: The model's answers on labelled rows.
        level: Of the central interval.
        seed: Of the bootstrap, where there is one.

    Raises:
        Undecidable: these rows cannot tell the metric; the message says why.
        KeyError: the catalogue has no such metric.
    """
    _applicable(metric, checked(scored))
    if metric in INFLUENCES:
        figure = INFLUENCES[metric](scored)
        return _bounded(
            metric, scored.rows, figure.value, *influence_interval(figure, level), _METHODS.get(metric, "t")
        )
    if metric == "calibration_error":
        return _bounded(metric, scored.rows, *calibration_error(scored, level), "folded normal")
    if metric == "f1_macro":
        return _macro(scored, level, seed)
    return _share(metric, scored, level)


def estimate_difference(metric: str, a: Scored, b: Scored, *, level: float = 0.90, seed: int = 0) -> Estimate:
    """The metric of `a` minus that of `b`, paired: both answered the same rows in the same order.

    Raises:
        Undecidable: these rows cannot tell the difference, or the two do not answer the same rows.
        KeyError: the catalogue has no such metric.
    """
    _applicable(metric, checked(a))
    _applicable(metric, checked(b))
    if a.task != b.task or not np.array_equal(a.truth, b.truth):
        raise Undecidable("the two models did not answer the same labelled rows")
    if metric in INFLUENCES:
        return _influence_difference(metric, a, b, level)
    if metric == "calibration_error":
        return Estimate(*calibration_difference(a, b, level, seed), a.rows, "paired MOVER")
    if metric == "f1_macro":
        return _macro_difference(a, b, level, seed)
    return _cell_difference(metric, a, b, level, seed)


def _applicable(metric: str, scored: Scored) -> None:
    if scored.task not in METRICS[metric].tasks:
        raise Undecidable(f"{metric} is not defined for a {scored.task} task")


def within(metric: str, low: float, high: float) -> tuple[float, float]:
    """An interval cut to the values that the metric can have."""
    least, most = METRICS[metric].limits
    return max(least, low), min(most, high)


def _bounded(metric: str, rows: int, value: float, low: float, high: float, method: str) -> Estimate:
    if metric in _CUT:
        low, high = within(metric, low, high)
    if not np.isfinite([value, low, high]).all():
        raise Undecidable(f"{metric} is not finite on these {rows} rows")
    return Estimate(float(value), float(low), float(high), rows, method)


def _influence_difference(metric: str, a: Scored, b: Scored, level: float) -> Estimate:
    one, two = INFLUENCES[metric](a), INFLUENCES[metric](b)
    floor = 0.0 if np.array_equal(a.scores, b.scores) else one.floor + two.floor
    figure = Influence(one.value - two.value, one.rows - two.rows, "identity", floor, one.free)
    method = f"paired {_METHODS.get(metric, 't')}"
    return _bounded("", a.rows, figure.value, *influence_interval(figure, level), method)


def _share(metric: str, scored: Scored, level: float) -> Estimate:
    """Accuracy, precision, recall and F1 of a binary task, accuracy of several classes: Wilson.

    F1 = 2J/(1+J) rises with J = tp/(tp+fp+fn), and J is a share of the rows that are flagged or positive.
    """
    if scored.task == "multiclass":
        right = int(np.count_nonzero(decisions_of(scored) == scored.truth))
        return Estimate(right / scored.rows, *wilson(right, scored.rows, level), scored.rows, "Wilson")
    tp, fp, fn, tn = confusion(scored)
    hits, of, needed = {
        "accuracy": (tp + tn, scored.rows, "labelled"),
        "precision": (tp, tp + fp, "flagged"),
        "recall": (tp, tp + fn, "positive"),
        "f1": (tp, tp + fp + fn, "flagged or positive"),
    }[metric]
    if of == 0:
        raise Undecidable(f"no row is {needed} among {scored.rows} rows")
    value, (low, high) = hits / of, wilson(hits, of, level)
    if metric == "f1":
        value, low, high = (2 * share / (1 + share) for share in (value, low, high))
    return Estimate(value, low, high, scored.rows, "Wilson")


def _cell_difference(metric: str, a: Scored, b: Scored, level: float, seed: int) -> Estimate:
    """Accuracy, precision, recall, F1: bootstrap of the joint table (truth, decision of a, decision of b)."""
    if metric == "accuracy":
        right = [(decisions_of(s) == s.truth).astype(np.int64) for s in (a, b)]
        counts = np.bincount(right[0] * 2 + right[1], minlength=4)
        return _bootstrapped(counts, lambda t: (t[:, 2] - t[:, 1]) / t.sum(axis=1), a.rows, level, seed)
    _share(metric, a, level), _share(metric, b, level)
    truth = (a.truth.astype(np.int64) == 1).astype(np.int64)
    one, two = ((decisions_of(s) == 1).astype(np.int64) for s in (a, b))
    counts = np.bincount(truth * 4 + one * 2 + two, minlength=8)
    return _bootstrapped(counts, lambda t: _of_joint(metric, t), a.rows, level, seed)


def _of_joint(metric: str, tables: Floats) -> Floats:
    joint = tables.reshape(-1, 2, 2, 2)
    values = []
    for axis in (3, 2):
        table = joint.sum(axis=axis)
        tp, fp, fn = table[:, 1, 1], table[:, 0, 1], table[:, 1, 0]
        top, bottom = {
            "precision": (tp, tp + fp),
            "recall": (tp, tp + fn),
            "f1": (2 * tp, 2 * tp + fp + fn),
        }[metric]
        values.append(np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0))
    return np.asarray(values[0] - values[1])


def _bootstrapped(
    counts: NDArray[np.int64],
    statistic: Callable[[Floats], Floats],
    rows: int,
    level: float,
    seed: int,
    *,
    macro: bool = False,
) -> Estimate:
    value = float(statistic(counts[None, :].astype(np.float64))[0])
    replicates, added = (_MACRO_REPLICATES, 0.0) if macro else (4000, 0.5)
    low, high = bootstrap_cells(counts, statistic, level, seed, replicates, added)
    return Estimate(value, min(low, value), max(high, value), rows, "paired bootstrap")


def _macro_f1(tp: Floats, flagged: Floats, positive: Floats) -> Floats:
    """Mean F1 over the classes that occur; arguments of shape (r, k)."""
    bottom = flagged + positive
    each = np.divide(2 * tp, bottom, out=np.full(bottom.shape, np.nan), where=bottom > 0)
    return np.asarray(np.nanmean(each, axis=1))


def _macro_cells(answers: list[NDArray[np.int64]]) -> tuple[NDArray[np.int64], list[Floats]]:
    """Rows by occurring combination of codes, and per answer the (cells, k) one-hot table of its code."""
    classes = 1 + max(int(codes.max()) for codes in answers)
    joint = answers[0]
    for codes in answers[1:]:
        joint = joint * classes + codes
    cells, counts = np.unique(joint, return_counts=True)
    tables = []
    for place in range(len(answers) - 1, -1, -1):
        tables.append(np.eye(classes)[cells // classes**place % classes])
    return counts.astype(np.int64), tables


def _macro(scored: Scored, level: float, seed: int) -> Estimate:
    truth, decided = scored.truth.astype(np.int64), decisions_of(scored)
    if truth.min() == truth.max():
        raise Undecidable(f"only one class among {scored.rows} rows")
    counts, (is_true, is_said) = _macro_cells([truth, decided])

    def statistic(tables: Floats) -> Floats:
        return _macro_f1(tables @ (is_true * is_said), tables @ is_said, tables @ is_true)

    if np.array_equal(truth, decided):  # no error to resample: the mean of the classes' own lower bounds
        shares = [wilson(rows, rows, level)[0] for rows in np.bincount(truth) if rows]
        return Estimate(1.0, float(np.mean([2 * s / (1 + s) for s in shares])), 1.0, scored.rows, "Wilson")
    result = _bootstrapped(counts, statistic, scored.rows, level, seed, macro=True)
    return Estimate(result.value, result.low, result.high, result.rows, "bootstrap")


def _macro_difference(a: Scored, b: Scored, level: float, seed: int) -> Estimate:
    truth = a.truth.astype(np.int64)
    if truth.min() == truth.max():
        raise Undecidable(f"only one class among {a.rows} rows")
    counts, (is_true, one, two) = _macro_cells([truth, decisions_of(a), decisions_of(b)])

    def statistic(tables: Floats) -> Floats:
        positive = tables @ is_true
        left = _macro_f1(tables @ (is_true * one), tables @ one, positive)
        return left - _macro_f1(tables @ (is_true * two), tables @ two, positive)

    return _bootstrapped(counts, statistic, a.rows, level, seed, macro=True)
