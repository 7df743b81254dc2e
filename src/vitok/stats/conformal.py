"""How sure one answer is: intervals and sets that hold for new rows of the same kind as the calibration rows.

The guarantee needs no assumption about the model or the law of the data, only that rows are exchangeable; after a
drift it is lost. Tables are made once from held-out rows; looking a row up costs a binary search.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vitok.stats.scores import Floats, Undecidable

_LEAST_ROWS = 100
_LEAST_SHARES = 5 * _LEAST_ROWS
_MOST_BINS = 50


@dataclass(frozen=True, slots=True)
class Intervals:
    """A table from a score to how sure it is.

    Args:
        level: Coverage.
        edges: Shape (b - 1,): where the bins of the score end; a score on an edge belongs to the bin above.
        low, high: Shape (b,): bounds of the share of positive rows (binary), or what is added to the predicted
            value (regression); empty for several classes.
        least: Several classes: a class belongs to the set of a row from this probability on; else None.
    """

    level: float
    edges: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    least: float | None = None

    def bounds(self, scores: Floats, *, is_value: bool) -> tuple[Floats, Floats]:
        """Low and high of each row, shape (n,) each.

        Args:
            scores: Shape (n,).
            is_value: Whether scores are predicted values (regression) and not probabilities.
        """
        places = np.searchsorted(np.array(self.edges), scores, "right")
        base = scores if is_value else 0.0
        return base + np.array(self.low)[places], base + np.array(self.high)[places]

    def sets(self, scores: Floats) -> npt.NDArray[np.bool_]:
        """For each row and class, whether the class may be the true one; the likeliest always is.

        Args:
            scores: Shape (n, classes).
        """
        assert self.least is not None
        found = scores >= self.least
        found[np.arange(len(scores)), scores.argmax(axis=1)] = True
        return np.asarray(found, dtype=np.bool_)

    def to_json(self) -> dict[str, Any]:
        """The table as plain data."""
        return asdict(self)

    @staticmethod
    def from_json(found: dict[str, Any]) -> "Intervals":
        """Reads a table back."""
        lists = {name: tuple(found[name]) for name in ("edges", "low", "high")}
        return Intervals(level=found["level"], least=found["least"], **lists)


def fit_shares(positive: npt.NDArray[np.bool_], scores: Floats, level: float) -> Intervals:
    """For each bin of the score an interval for the share of positive rows among such rows.

    Without assumptions an interval for a probability exists only for bins of the score (Gupta, Podkopaev and
    Ramdas, NeurIPS 2020); in each bin it is exact (Clopper and Pearson, Biometrika 26, 1934).

    Args:
        positive: Shape (n,): what happened in the calibration rows.
        scores: Shape (n,).

    Raises:
        Undecidable: fewer than 500 rows: in a few wide bins the interval says nothing of a score at their end.
    """
    if len(scores) < _LEAST_SHARES:
        raise Undecidable(f"{len(scores)} rows are too few, {_LEAST_SHARES} are needed")
    from scipy.stats import beta  # slow to import, and serving does without

    edges, place = _bins(scores, _LEAST_ROWS)
    rows = np.bincount(place, minlength=len(edges) + 1)
    hits = np.bincount(place, positive, minlength=len(edges) + 1)
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(hits == 0, 0.0, beta.ppf(tail, hits, rows - hits + 1))
        high = np.where(hits == rows, 1.0, beta.ppf(1 - tail, hits + 1, rows - hits))
    return Intervals(level, _floats(edges), _floats(low), _floats(high))


def fit_values(truth: Floats, values: Floats, level: float) -> Intervals:
    """For each bin of the predicted value what is to be added for the bounds of the true one.

    Split conformal prediction with signed residuals, each bin for itself (Vovk, Gammerman and Shafer, *Algorithmic
    Learning in a Random World*, 2005, on Mondrian predictors; Romano, Patterson and Candes, NeurIPS 2019, on two
    sides).

    Args:
        truth, values: Shape (n,): true and predicted values of the calibration rows.

    Raises:
        Undecidable: too few rows for the level: for 90 % at least 100, for 99 % 400.
    """
    tail = (1 - level) / 2
    edges, place = _bins(values, max(_LEAST_ROWS, math.ceil(2 / tail)))
    low, high = [], []
    for number in range(len(edges) + 1):
        residuals = np.sort((truth - values)[place == number])
        rank = math.ceil((len(residuals) + 1) * (1 - tail))
        low.append(residuals[-rank])
        high.append(residuals[rank - 1])
    return Intervals(level, _floats(edges), _floats(np.array(low)), _floats(np.array(high)))


def fit_sets(codes: npt.NDArray[np.int64], scores: Floats, level: float) -> Intervals:
    """The least probability from which on a class belongs to the set of a row.

    The smallest sets on average for a given coverage (Sadinle, Lei and Wasserman, JASA 114, 2019).

    Args:
        codes: Shape (n,): place of the true class of each calibration row.
        scores: Shape (n, classes).

    Raises:
        Undecidable: fewer than 100 rows.
    """
    if len(codes) < _LEAST_ROWS:
        raise Undecidable(f"{len(codes)} rows are too few, {_LEAST_ROWS} are needed")
    given = np.sort(1 - scores[np.arange(len(codes)), codes])
    rank = math.ceil((len(given) + 1) * level)
    least = 0.0 if rank > len(given) else float(1 - given[rank - 1])
    return Intervals(level, (), (), (), least)


def _bins(scores: Floats, least: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Inner edges of bins of at least so many rows, equal scores together, and the bin of each row."""
    count = min(_MOST_BINS, len(scores) // least)
    if count == 0:
        raise Undecidable(f"{len(scores)} rows are too few, {least} are needed")
    ordered = np.sort(scores)
    edges: list[float] = []
    begin = 0
    for place in (np.arange(1, count) * len(scores) // count).tolist():
        first = int(np.searchsorted(ordered, ordered[place], "left"))  # equal scores stay together
        if first - begin >= least and len(scores) - first >= least:
            edges.append(float(ordered[first]))
            begin = first
    return np.array(edges), np.searchsorted(edges, scores, "right")


def _floats(found: Floats) -> tuple[float, ...]:
    return tuple(float(each) for each in found)
