"""Where to cut a score into a decision."""

import numpy as np
from numpy.typing import NDArray

from vitok.stats.scores import Costs, Floats, Undecidable


def best_threshold(
    truth: NDArray[np.generic], scores: NDArray[np.generic], costs: Costs | None = None
) -> float:
    """The cut with the most profit on these rows, or without costs with the highest F1.

    `score >= cut` is flagged. The cut lies in the middle between neighbouring scores, in the scores' own
    precision. Of several cuts that are equally good the middle one is taken.

    Args:
        truth: Shape (n,): 0 and 1.
        scores: Shape (n,).
        costs: Money by kind of decision: tp, fp, fn, tn.

    Raises:
        Undecidable: no rows, a score that is not finite, or without costs no positive row.

    >>> best_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.5, 0.9]))
    0.4
    """
    if len(scores) == 0 or not np.isfinite(scores.astype(np.float64)).all():
        raise Undecidable("no rows, or scores that are not finite")
    order = np.argsort(-scores.astype(np.float64), kind="stable")
    ranked, hit = scores[order], truth[order].astype(np.int64) == 1
    last = np.concatenate([np.flatnonzero(ranked[1:] != ranked[:-1]), [len(ranked) - 1]])
    tp = np.concatenate([[0], np.cumsum(hit)[last]]).astype(np.float64)
    flagged = np.concatenate([[0], last + 1]).astype(np.float64)
    value = _worth(tp, flagged, len(ranked), costs)
    ties = np.flatnonzero(value >= value.max() - 1e-12 * max(1.0, float(np.abs(value).max())))
    return _cut(ranked[last], int(ties[(len(ties) - 1) // 2]))


def _worth(tp: Floats, flagged: Floats, rows: int, costs: Costs | None) -> Floats:
    positives = tp[-1]
    if costs is not None:
        fp, fn = flagged - tp, positives - tp
        return np.asarray(costs[0] * tp + costs[1] * fp + costs[2] * fn + costs[3] * (rows - tp - fp - fn))
    if positives == 0:
        raise Undecidable(f"no positive row among {rows} rows")
    return np.asarray(2 * tp / (flagged + positives))


def _cut(levels: NDArray[np.generic], flagged: int) -> float:
    """The cut that flags the first `flagged` of the falling distinct scores."""
    dtype = levels.dtype if levels.dtype.kind == "f" else np.dtype(np.float64)
    values = levels.astype(dtype)
    probability = bool(values[-1] >= 0 and values[0] <= 1)
    if flagged == 0:
        top = values[0]
        middle = (top + 1) / 2 if probability else top
        return float(middle if middle > top else np.nextafter(top, dtype.type(np.inf)))
    upper = values[flagged - 1]
    if flagged == len(values):
        return float(upper / 2 if probability else upper)
    lower = values[flagged]
    middle = lower + (upper - lower) / 2
    return float(middle if middle > lower else upper)


def elkan_threshold(costs: Costs) -> float:
    """The probability above which flagging pays (Elkan, IJCAI 2001, eq. 2), if it is calibrated.

    Args:
        costs: Money by kind of decision: tp, fp, fn, tn.

    Raises:
        Undecidable: flagging a positive row, or leaving a negative one alone, never pays.

    >>> elkan_threshold((0.0, -1.0, -4.0, 0.0))
    0.2
    """
    tp, fp, fn, tn = costs
    if tp <= fn or tn <= fp:
        raise Undecidable("by these costs one decision is always at least as good as the other")
    return (tn - fp) / ((tn - fp) + (tp - fn))
