"""Calibration error: the mean gap between stated probability and observed share, freed of its upward bias."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitok.stats.intervals import quantile
from vitok.stats.scores import Floats, Scored, Undecidable, class_truth, probabilities

BINS = 15
LEAST_ROWS = 2 * BINS


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Bins of equal mass: what they say and what happened.

    Args:
        bin_of: Shape (n,): the bin of each row.
        residual: Shape (n,): outcome minus stated probability.
        rows: Shape (b,): rows of each bin.
        gap: Shape (b,): mean residual.
        error: Shape (b,): standard error of the gap.
    """

    bin_of: NDArray[np.int64]
    residual: Floats
    rows: Floats
    gap: Floats
    error: Floats

    @property
    def weight(self) -> Floats:
        """Shape (b,): share of the rows."""
        return np.asarray(self.rows / self.rows.sum())

    @property
    def plain(self) -> float:
        """The plain estimate: mean absolute gap."""
        return float(np.dot(self.weight, np.abs(self.gap)))


def gaps(scored: Scored) -> Gaps:
    """Sorts rows into 15 bins of equal mass by stated probability (ties stay together).

    Several classes: the probability is that of the most probable class, the outcome whether it is right.

    Raises:
        Undecidable: fewer than 30 rows, or the scores are no probabilities.
    """
    if scored.rows < LEAST_ROWS:
        raise Undecidable(f"{scored.rows} rows are too few for {BINS} bins")
    p = probabilities(scored)
    if p.ndim == 2:
        outcome = (np.argmax(p, axis=1) == class_truth(scored, p.shape[1])).astype(np.float64)
        p = p.max(axis=1)
    else:
        outcome = (scored.truth.astype(np.int64) == 1).astype(np.float64)
    edges = np.unique(np.sort(p)[np.arange(BINS) * len(p) // BINS])
    bin_of = np.searchsorted(edges[1:], p, "right").astype(np.int64)
    residual = outcome - p
    rows = np.bincount(bin_of, minlength=len(edges)).astype(np.float64)
    gap = np.bincount(bin_of, residual, minlength=len(edges)) / rows
    seen = np.bincount(bin_of, (residual - gap[bin_of]) ** 2, minlength=len(edges)) / rows
    stated = np.bincount(bin_of, p * (1 - p), minlength=len(edges)) / rows
    return Gaps(bin_of, residual, rows, gap, np.sqrt(np.maximum(seen, stated) / rows))


def calibration_error(scored: Scored, level: float) -> tuple[float, float, float]:
    """Value, low and high of the calibration error.

    The mean absolute gap is biased upward by noise: in each bin |N(gap, error)| has a folded normal law
    (Kumar, Liang and Ma, NeurIPS 2019, correct for it too). True gaps are taken to have the shape of `_shape`
    times a factor; the value is the one whose expected mean absolute gap is the observed one, the bounds are
    those for which the observed one lies at the tail of its law.
    """
    return _interval(gaps(scored), level)


def _interval(bins: Gaps, level: float) -> tuple[float, float, float]:
    shape, z = _shape(bins), quantile(level, math.inf)
    size = float(np.dot(bins.weight, shape))

    def solved(deviations: float) -> float:
        def curve(factor: float) -> float:
            mean, deviation = _moments(bins, factor * shape)
            return mean + deviations * deviation

        return size * _factor(curve, bins.plain)

    value = solved(0.0)
    return value, solved(z), max(solved(-z), bins.plain)


def _shape(bins: Gaps) -> Floats:
    """Shape (b,): sizes of the true gaps up to a factor.

    Observed gaps vary more than true ones; they are drawn to their mean by the share of the variance that is
    noise (empirical Bayes, Efron and Morris, JASA 70, 1975).
    """
    observed, weight = np.abs(bins.gap), bins.weight
    middle = float(np.dot(weight, observed))
    variance = float(np.dot(weight, (observed - middle) ** 2))
    mean, second = _folded(observed, bins.error), observed**2 + bins.error**2
    noise = float(np.dot(weight, second - mean**2))
    signal = max(0.0, 1 - noise / variance) if variance > 0 else 0.0
    return np.asarray(signal * observed + (1 - signal) * middle + 1e-12)


def _folded(gap: Floats, error: Floats) -> Floats:
    """Mean of |N(gap, error)| (Leone, Nelson and Nottingham, Technometrics 3, 1961)."""
    error = np.maximum(error, 1e-12)
    ratio = gap / error
    from scipy.special import ndtr  # slow to import, and most commands can do without

    return np.asarray(error * math.sqrt(2 / math.pi) * np.exp(-(ratio**2) / 2) + gap * (1 - 2 * ndtr(-ratio)))


def _moments(bins: Gaps, gap: Floats) -> tuple[float, float]:
    """Mean and standard deviation of the mean absolute gap if these are the true gaps."""
    mean = _folded(gap, bins.error)
    variance = np.maximum(gap**2 + bins.error**2 - mean**2, 0.0)
    return float(np.dot(bins.weight, mean)), math.sqrt(float(np.dot(bins.weight**2, variance)))


def _factor(curve: Callable[[float], float], target: float) -> float:
    """The factor >= 0 at which a rising curve reaches the target; 0 if it starts above."""
    low, high = 0.0, 1.0
    if curve(low) >= target:
        return 0.0
    while curve(high) < target and high < 1e15:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if curve(middle) < target else (low, middle)
    return (low + high) / 2


def calibration_difference(
    a: Scored, b: Scored, level: float, seed: int, draws: int = 2000
) -> tuple[float, float, float]:
    """Value, low and high of the difference of two models' calibration errors on the same rows.

    From the two intervals and the correlation of the two errors (MOVER: Zou and Donner, Stat. Med. 27, 2008).
    Where an interval reaches zero the errors are folded and their correlation says nothing: it is left out.
    """
    one, two = gaps(a), gaps(b)
    if np.array_equal(a.scores, b.scores):
        return 0.0, 0.0, 0.0
    (x, x_low, x_high), (y, y_low, y_high) = _interval(one, level), _interval(two, level)
    tie = 2 * _correlation(one, two, seed, draws) if min(x_low, y_low) > 0 else 0.0
    down, up = (x - x_low, y_high - y), (x_high - x, y - y_low)
    below, above = (math.hypot(*each) ** 2 - tie * each[0] * each[1] for each in (down, up))
    return x - y, x - y - math.sqrt(max(0.0, below)), x - y + math.sqrt(max(0.0, above))


def _correlation(one: Gaps, two: Gaps, seed: int, draws: int) -> float:
    """Correlation of two models' mean absolute gaps, from draws with the covariance of the shared rows."""
    size = (len(one.gap), len(two.gap))
    left, right = one.residual - one.gap[one.bin_of], two.residual - two.gap[two.bin_of]
    joint = np.bincount(one.bin_of * size[1] + two.bin_of, left * right, minlength=size[0] * size[1])
    cross = joint.reshape(size) / np.outer(one.rows, two.rows)
    within = [np.bincount(g.bin_of, e**2) / g.rows**2 for g, e in ((one, left), (two, right))]
    covariance = np.block([[np.diag(within[0]), cross], [cross.T, np.diag(within[1])]])
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    normal = np.random.default_rng(seed).standard_normal((draws, len(values)))
    drawn = np.abs(np.concatenate([one.gap, two.gap]) + normal @ root.T)
    x, y = drawn[:, : size[0]] @ one.weight, drawn[:, size[0] :] @ two.weight
    spread = float(x.std() * y.std())
    return float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread > 0 else 0.0
