"""The quality of a classifier on rows whose labels have not come, estimated from its own calibrated scores.

If a score of .8 came true in 80 % of held-out rows, a window of such scores has its quality foretold: confidence-based
performance estimation (CBPE; Garg et al., ICLR 2022, on average confidence; Bialek et al., arXiv 2401.08348, on CBPE
and its reweighted form). It sees a change of the rows (covariate shift) and is blind to a change of what rows mean
(concept drift): a model whose world has changed looks as good as before. Nothing may be promoted on such a figure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitok.stats.catalogue import TaskKind
from vitok.stats.estimates import Estimate
from vitok.stats.intervals import Influence, Link, influence_interval
from vitok.stats.scores import (
    Costs,
    Floats,
    Scored,
    Undecidable,
    binary_truth,
    checked,
    decisions_of,
    probabilities,
)

LEAST_REFERENCE = 300
LEAST_WINDOW = 30
# Below so many expected rows a ratio such as recall is too skewed for its interval.
_LEAST_EXPECTED = 5.0
# 20 pieces: on the data sets of the bench as exact as isotonic regression or better, and fewer begin to miss jumps.
_KNOTS = 21
_END = 1e-3
_SMOOTH, _PRIOR = 1.0, 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """A classifier's answers on rows without labels.

    Args:
        task: `binary` or `multiclass`.
        scores: Binary: (n,) of the positive class; multiclass: (n, k) probabilities.
        decisions: Binary: (n,) 0 and 1; multiclass: (n,) class codes, by default the most probable class.
        costs: Money per decision of each kind, in the order tp, fp, fn, tn.
    """

    task: TaskKind
    scores: NDArray[np.generic]
    decisions: NDArray[np.generic] | None = None
    costs: Costs | None = None

    def confidence(self) -> Floats:
        """Shape (n,): what is calibrated, the score of the positive class or of the class that was decided.

        Raises:
            Undecidable: a regression, no rows, or scores that are missing, outside of 0 to 1, or all the same.
        """
        if self.task == "regression":
            raise Undecidable("a regression has no probabilities to calibrate")
        if not len(self.scores):
            raise Undecidable("no rows")
        stand_in = np.zeros(len(self.scores))
        scores = probabilities(checked(Scored(self.task, stand_in, self.scores, self.decisions)))
        if self.task == "multiclass":
            decided = decisions_of(Scored(self.task, stand_in, scores, self.decisions))
            scores = scores[np.arange(len(scores)), decided]
        if len(scores) > 1 and scores.min() == scores.max():
            raise Undecidable(f"all {len(scores)} scores are the same")
        return scores


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often scores come true: log-odds, linear between knots; small enough to lie in a bundle.

    Beyond the outer knots the outer values hold.

    Args:
        knots: Shape (m,): log-odds of scores, rising.
        values: Shape (m,): log-odds of what happened.
        covariance: Shape (m, m): of the values.
        rows: Reference rows; of weighted ones as many as equal ones would be worth.
    """

    knots: tuple[float, ...]
    values: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    rows: int

    def apply(self, scores: Floats) -> Floats:
        """Shape (n,): the calibrated probability of each score."""
        return _expit(np.interp(_log_odds(scores), self.knots, self.values))

    def error(self, scores: Floats, slopes: Floats) -> float:
        """Variance that the calibration itself brings to a figure.

        Args:
            scores: Shape (n,).
            slopes: Shape (n,): change of the figure with the calibrated probability of each row.
        """
        place, part = _between(_log_odds(scores), np.array(self.knots))
        chance = self.apply(scores)
        pull = slopes * chance * (1 - chance)
        size = len(self.knots)
        total = np.bincount(place, (1 - part) * pull, size) + np.bincount(place + 1, part * pull, size)
        return float(total @ np.array(self.covariance) @ total)

    def to_json(self) -> dict[str, Any]:
        """The calibration as JSON values."""
        return {
            "knots": list(self.knots),
            "values": list(self.values),
            "covariance": [[float(f"{each:.6g}") for each in row] for row in self.covariance],
            "rows": self.rows,
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Calibration":
        """Reads a calibration."""
        rows = tuple(tuple(map(float, row)) for row in value["covariance"])
        return Calibration(
            tuple(map(float, value["knots"])), tuple(map(float, value["values"])), rows, int(value["rows"])
        )


def fit_calibration(scored: Scored, weights: Floats | None = None) -> Calibration:
    """Learns from labelled rows, which the model was not trained on, how often scores come true.

    Logistic regression on linear splines of the log-odds with a light penalty of roughness (Eilers and Marx,
    Statistical Science 11, 1996) and a twentieth of a row of the overall share at each knot, which keeps all
    finite; its errors by the sandwich formula (White, Econometrica 50, 1982).

    Args:
        scored: Binary or multiclass; of several classes it is calibrated how often the decided one is right.
        weights: Shape (n,): of the rows, not negative, for example how much more frequent such rows are in a
            window (`density_ratio`): the calibration is then that of the window (PAPE, arXiv 2401.08348).

    Raises:
        Undecidable: fewer than 300 rows (by weight: than 300 are worth), one class or score only, scores missing
            or outside of 0 to 1, a task without probabilities.
    """
    if scored.rows < LEAST_REFERENCE:
        raise Undecidable(f"{scored.rows} reference rows are too few, {LEAST_REFERENCE} are needed")
    checked(scored)
    scores = Answers(scored.task, scored.scores, scored.decisions).confidence()
    hit = (binary_truth(scored) if scored.task == "binary" else decisions_of(scored) == scored.truth).astype(
        float
    )
    each = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(each) != len(scores) or not np.isfinite(each).all() or each.min() < 0 or not each.any():
        raise Undecidable("weights must be finite and not negative, one for each reference row")
    worth = float(each.sum() ** 2 / np.dot(each, each))
    if worth < LEAST_REFERENCE:
        raise Undecidable(
            f"the reference has rows like these worth {worth:.0f}, {LEAST_REFERENCE} are needed"
        )
    if hit.min() == hit.max():
        raise Undecidable(f"only one class among {len(hit)} reference rows")
    return _fitted(_log_odds(scores), hit, each * worth / each.sum(), round(worth))


def _fitted(odds: Floats, hit: Floats, weights: Floats, rows: int) -> Calibration:
    """Newton's method; the weights add up to the rows that they are worth."""
    knots = _knots(odds, weights)
    place, part = _between(odds, knots)
    rough, size = _roughness(knots), len(knots)
    overall = float(np.dot(weights, hit) / weights.sum())
    values = np.full(size, np.log(overall) - np.log1p(-overall))
    for _ in range(60):
        chance = _expit((1 - part) * values[place] + part * values[place + 1])
        prior = _expit(values)
        residual = weights * (hit - chance)
        slope = np.bincount(place, (1 - part) * residual, size) + np.bincount(
            place + 1, part * residual, size
        )
        slope += _PRIOR * (overall - prior) - rough @ values
        curve = _products(place, part, weights * chance * (1 - chance), size)
        bread = curve + rough + np.diag(_PRIOR * prior * (1 - prior))
        step = np.linalg.solve(bread, slope)
        values += step * min(1.0, 3.0 / float(np.abs(step).max() + 1e-300))
        if np.abs(step).max() < 1e-9:
            break
    inverse = np.linalg.inv(bread)
    spread = inverse @ _products(place, part, weights**2 * chance * (1 - chance), size) @ inverse
    return Calibration(_tuple(knots), _tuple(values), tuple(_tuple(row) for row in spread), rows)


def _knots(odds: Floats, weights: Floats) -> Floats:
    """Quantiles by weight, both ends among them; few distinct scores each get one."""
    order = np.argsort(odds, kind="stable")
    reached = np.cumsum(weights[order])
    places = np.searchsorted(reached, np.linspace(0, 1, _KNOTS)[1:-1] * reached[-1])
    inner = odds[order][np.minimum(places, len(odds) - 1)]
    return np.unique(np.concatenate([[odds.min(), odds.max()], inner]))


def _roughness(knots: Floats) -> Floats:
    """Penalty matrix of second divided differences; a line in the log-odds (Platt's scaling) costs nothing."""
    found = np.zeros((max(0, len(knots) - 2), len(knots)))
    gaps = np.diff(knots).tolist()
    for row, (left, right) in enumerate(pairwise(gaps)):
        found[row, row : row + 3] = 1 / left, -1 / left - 1 / right, 1 / right
        found[row] *= np.sqrt((left + right) / 2)
    return np.asarray(_SMOOTH * found.T @ found)


def _products(place: NDArray[np.int64], part: Floats, weights: Floats, size: int) -> Floats:
    """Shape (m, m): the weighted products of the two neighbouring hat functions of each row."""
    middle = np.bincount(place, (1 - part) ** 2 * weights, size)
    middle += np.bincount(place + 1, part**2 * weights, size)
    beside = np.bincount(place, part * (1 - part) * weights, size)[:-1]
    return np.asarray(np.diag(middle) + np.diag(beside, 1) + np.diag(beside, -1), dtype=np.float64)


def _between(odds: Floats, knots: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The knot at or below each row and how far the row is on the way to the next."""
    place = np.clip(np.searchsorted(knots, odds, "right") - 1, 0, len(knots) - 2).astype(np.int64)
    part = (odds - knots[place]) / (knots[place + 1] - knots[place])
    return place, np.clip(part, 0.0, 1.0)


def _log_odds(scores: Floats) -> Floats:
    kept = np.clip(np.asarray(scores, dtype=np.float64), _END, 1 - _END)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def _expit(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-odds)))


def _tuple(values: Floats) -> tuple[float, ...]:
    return tuple(float(each) for each in values)


def estimate_unlabelled(
    metric: str, calibration: Calibration, answers: Answers, *, level: float = 0.90
) -> Estimate:
    """A metric that these rows are expected to have once their labels are known.

    The interval is for the figure that the labels will then show on these very rows: it holds the chance of each
    label and, by the delta method, the error of the calibration. It does not hold concept drift.

    Args:
        metric: `accuracy`; of a binary task also `precision`, `recall`, `f1`, `specificity`, `roc_auc`, `pr_auc`,
            `brier`, `log_loss`, `profit_per_1000`.
        calibration: Of the same model, from `fit_calibration`.
        answers: What the model answered.
        level: Of the central interval.

    Raises:
        Undecidable: fewer than 30 rows, fewer than 5 expected rows that decide, scores missing, outside of 0 to 1
            or all the same, or a metric that needs labels.
    """
    scores = answers.confidence()
    if len(scores) < LEAST_WINDOW:
        raise Undecidable(f"{len(scores)} rows are too few to estimate by, {LEAST_WINDOW} are needed")
    chance = calibration.apply(scores)
    value, slopes, link = _expected(metric, answers, scores, chance)
    spread = slopes * np.sqrt(chance * (1 - chance)) * len(scores)
    figure = Influence(value, spread, link, calibration.error(scores, slopes))
    return Estimate(value, *influence_interval(figure, level), len(scores), "calibrated scores")


Slope = tuple[float, Floats, Link]


def _expected(metric: str, answers: Answers, scores: Floats, chance: Floats) -> Slope:
    """The figure at these chances, its change with each of them, and the scale of its interval."""
    if answers.task == "multiclass":
        if metric != "accuracy":
            raise Undecidable(f"{metric} of several classes cannot be estimated without labels, accuracy can")
        return float(chance.mean()), np.full(len(chance), 1 / len(chance)), "logit"
    if metric in _RANKED:
        return _RANKED[metric](scores, chance)
    if metric in ("brier", "log_loss"):
        return _proper(metric, scores, chance)
    if metric not in _COUNTED and metric != "profit_per_1000":
        raise Undecidable(f"{metric} cannot be estimated without labels")
    flagged = (decisions_of(Scored("binary", chance, scores, answers.decisions)) == 1).astype(np.float64)
    return (
        _money(answers.costs, flagged, chance)
        if metric not in _COUNTED
        else _counted(metric, flagged, chance)
    )


# Each metric as (top, bottom): sums over rows of a + b * chance, from whether a row is flagged.
_COUNTED: dict[str, Callable[[Floats], tuple[Floats, Floats, Floats, Floats]]] = {
    "accuracy": lambda f: (1 - f, 2 * f - 1, np.ones_like(f), np.zeros_like(f)),
    "precision": lambda f: (np.zeros_like(f), f, f, np.zeros_like(f)),
    "recall": lambda f: (np.zeros_like(f), f, np.zeros_like(f), np.ones_like(f)),
    "specificity": lambda f: (1 - f, f - 1, np.ones_like(f), -np.ones_like(f)),
    "f1": lambda f: (np.zeros_like(f), 2 * f, f, np.ones_like(f)),
}


def _counted(metric: str, flagged: Floats, chance: Floats) -> Slope:
    start, rise, base, growth = _COUNTED[metric](flagged)
    bottom = float((base + growth * chance).sum())
    if bottom < _LEAST_EXPECTED:
        raise Undecidable(f"only {bottom:.1f} rows are expected to decide {metric}")
    value = float((start + rise * chance).sum()) / bottom
    return value, (rise - value * growth) / bottom, "logit"


def _money(costs: Costs | None, flagged: Floats, chance: Floats) -> Slope:
    if costs is None:
        raise Undecidable("no costs are stated")
    tp, fp, fn, tn = costs
    hit, miss = np.where(flagged == 1, tp, fn), np.where(flagged == 1, fp, tn)
    scale = 1000.0 / len(chance)
    return float((miss + (hit - miss) * chance).sum()) * scale, (hit - miss) * scale, "identity"


def _proper(metric: str, scores: Floats, chance: Floats) -> Slope:
    """Mean losses of the raw score; a loss that is not negative has its interval on the log scale."""
    if metric == "brier":
        hit, miss = (1 - scores) ** 2, scores**2
    else:
        eps = float(np.finfo(np.float64).eps)
        kept = np.clip(scores, eps, 1 - eps)
        hit, miss = -np.log(kept), -np.log1p(-kept)
    slopes = (hit - miss) / len(chance)
    return float(np.mean(miss + (hit - miss) * chance)), slopes, "log"


def _roc_auc(scores: Floats, chance: Floats) -> Slope:
    """Expected pairs in order (ties half) of a positive and a negative row, by expected pairs of such rows."""
    _, group = np.unique(scores, return_inverse=True)
    positive, negative = np.bincount(group, chance), np.bincount(group, 1 - chance)
    below = (np.cumsum(negative) - negative / 2)[group] - (1 - chance) / 2  # a row is no pair with itself
    above = (positive.sum() - np.cumsum(positive) + positive / 2)[group] - chance / 2
    many, rest = float(chance.sum()), float((1 - chance).sum())
    if min(many, rest) < _LEAST_EXPECTED:
        raise Undecidable(f"only {min(many, rest):.1f} rows of one class are expected")
    pairs = many * rest - float(np.dot(chance, 1 - chance))
    value = float(np.dot(chance, below)) / pairs
    return value, (below - above - value * (rest - many - (1 - 2 * chance))) / pairs, "logit"


def _pr_auc(scores: Floats, chance: Floats) -> Slope:
    """Expected precision at the score of each positive row; the row itself is surely positive there."""
    many = float(chance.sum())
    if many < _LEAST_EXPECTED:
        raise Undecidable(f"only {many:.1f} positive rows are expected")
    _, group = np.unique(-scores, return_inverse=True)
    rank = np.cumsum(np.bincount(group))[group]
    precision = (np.cumsum(np.bincount(group, chance))[group] + 1 - chance) / rank
    value = float(np.dot(chance, precision)) / many
    weight = np.bincount(group, chance / rank)
    later = np.cumsum(weight[::-1])[::-1][group] - chance / rank
    return value, (precision - value + later) / many, "logit"


_RANKED: dict[str, Callable[[Floats, Floats], Slope]] = {"roc_auc": _roc_auc, "pr_auc": _pr_auc}
