"""One model's answers on labelled rows, and when they are too few or too uniform to judge by."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitok.stats.catalogue import TaskKind

Floats = NDArray[np.float64]
Costs = tuple[float, float, float, float]


class Undecidable(ValueError):
    """The rows cannot tell the figure; the message says why. Whoever decides on it fails closed."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One model's answers on labelled rows.

    Args:
        task: The kind of task.
        truth: Shape (n,). Binary: 0 and 1, 1 is positive; multiclass: codes 0 to k-1; regression: values.
        scores: Binary: (n,) of the positive class; multiclass: (n, k) probabilities; regression: (n,) values.
        decisions: Binary: (n,) 0 and 1; multiclass: (n,) class codes, by default the most probable class.
        costs: Money per decision of each kind, in the order tp, fp, fn, tn.
    """

    task: TaskKind
    truth: NDArray[np.generic]
    scores: NDArray[np.generic]
    decisions: NDArray[np.generic] | None = None
    costs: Costs | None = None

    @property
    def rows(self) -> int:
        """Number of labelled rows."""
        return len(self.truth)

    def take(self, rows: NDArray[np.generic]) -> "Scored":
        """The same answers on some of the rows.

        Args:
            rows: A mask of n booleans, or row numbers.
        """
        decisions = None if self.decisions is None else self.decisions[rows]
        return Scored(self.task, self.truth[rows], self.scores[rows], decisions, self.costs)


def checked(scored: Scored) -> Scored:
    """The same answers, after the checks that every metric needs.

    Raises:
        Undecidable: there are no rows, lengths differ, or a score or a true value is missing or infinite.
    """
    rows = scored.rows
    if rows == 0:
        raise Undecidable("no labelled rows")
    if len(scored.scores) != rows or (scored.decisions is not None and len(scored.decisions) != rows):
        raise Undecidable(f"{rows} true values, but another number of scores or decisions")
    for name, values in (("scores", scored.scores), ("true values", scored.truth)):
        wrong = int(np.count_nonzero(~np.isfinite(values.astype(np.float64))))
        if wrong:
            raise Undecidable(f"{wrong} missing or infinite {name} among {rows} rows")
    return scored


def binary_truth(scored: Scored) -> NDArray[np.bool_]:
    """Shape (n,): which rows are truly positive.

    Raises:
        Undecidable: all rows are of one class.
    """
    positive = np.asarray(scored.truth.astype(np.int64) == 1)
    if positive.all() or not positive.any():
        raise Undecidable(f"only one class among {scored.rows} rows")
    return positive


def class_truth(scored: Scored, classes: int) -> NDArray[np.int64]:
    """Shape (n,): class codes of which each is present.

    Raises:
        Undecidable: a class has no rows, or a code is out of range.
    """
    truth = scored.truth.astype(np.int64)
    if truth.min() < 0 or truth.max() >= classes:
        raise Undecidable(f"class code {truth.max()} with scores of {classes} classes")
    absent = np.flatnonzero(np.bincount(truth, minlength=classes) == 0)
    if len(absent):
        raise Undecidable(f"no row of class {', '.join(map(str, absent[:5]))} among {scored.rows} rows")
    return truth


def probabilities(scored: Scored) -> Floats:
    """The scores as probabilities.

    Raises:
        Undecidable: a score lies outside of 0 to 1, or the classes' scores of a row do not add up to one.
    """
    scores = scored.scores.astype(np.float64)
    outside = int(np.count_nonzero((scores < 0) | (scores > 1)))
    if outside:
        raise Undecidable(f"{outside} scores are no probabilities (outside of 0 to 1)")
    if scores.ndim == 2 and np.abs(scores.sum(axis=1) - 1).max() > 1e-3:
        raise Undecidable("the scores of the classes do not add up to one in every row")
    return scores


def decisions_of(scored: Scored) -> NDArray[np.int64]:
    """Shape (n,): what was decided, 0 and 1 or class codes.

    Raises:
        Undecidable: no decisions were made.
    """
    if scored.decisions is not None:
        return scored.decisions.astype(np.int64)
    if scored.task != "multiclass":
        raise Undecidable("no decisions were made, only scores")
    return np.asarray(np.argmax(scored.scores, axis=1), dtype=np.int64)


def confusion(scored: Scored) -> tuple[int, int, int, int]:
    """Rows by kind of decision: tp, fp, fn, tn."""
    positive, flagged = scored.truth.astype(np.int64) == 1, decisions_of(scored) == 1
    tp, fp = int(np.count_nonzero(positive & flagged)), int(np.count_nonzero(~positive & flagged))
    fn = int(np.count_nonzero(positive)) - tp
    return tp, fp, fn, scored.rows - tp - fp - fn


def payoffs(scored: Scored) -> Floats:
    """Shape (n,): money per 1 000 decisions that each row stands for.

    Raises:
        Undecidable: the charter states no costs, or all rows are of one kind of decision.
    """
    if scored.costs is None:
        raise Undecidable("no costs are stated")
    if max(confusion(scored)) == scored.rows:
        raise Undecidable(f"all {scored.rows} rows are of the same kind of decision")
    tp, fp, fn, tn = scored.costs
    positive, flagged = scored.truth.astype(np.int64) == 1, decisions_of(scored) == 1
    return 1000.0 * np.where(positive, np.where(flagged, tp, fn), np.where(flagged, fp, tn))
