"""Calibration error: the mean gap between stated probability and observed share, freed of its upward bias."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from vitok.stats.intervals import quantile, tail
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
    (Kumar, Liang and Ma, NeurIPS 2019, correct for it too). Gaps are taken to have the observed shape times a
    factor s; the value is the s whose expected mean absolute gap is the observed one, the bounds are those s
    for which the observed one lies at the tail of its law.
    """
    bins = gaps(scored)
    plain, z = bins.plain, quantile(level, math.inf)
    if plain == 0:
        return 0.0, 0.0, float(np.dot(bins.weight, bins.error)) * z
    value = _factor(lambda s: _moments(bins, s)[0], plain)
    low = _factor(lambda s: _moments(bins, s)[0] + z * _moments(bins, s)[1], plain)
    high = _factor(lambda s: _moments(bins, s)[0] - z * _moments(bins, s)[1], plain)
    return value * plain, low * plain, max(high, 1.0) * plain


def _moments(bins: Gaps, factor: float) -> tuple[float, float]:
    """Mean and deviation of the mean absolute gap if true gaps are the observed ones times a factor."""
    gap, error = factor * np.abs(bins.gap), np.maximum(bins.error, 1e-12)
    ratio = gap / error
    mean = error * math.sqrt(2 / math.pi) * np.exp(-(ratio**2) / 2) + gap * (1 - 2 * ndtr(-ratio))
    variance = np.maximum(gap**2 + error**2 - mean**2, 0.0)
    return float(np.dot(bins.weight, mean)), math.sqrt(float(np.dot(bins.weight**2, variance)))


def _factor(curve: Callable[[float], float], target: float) -> float:
    """The s >= 0 at which a rising curve reaches the target; 0 if it starts above."""
    low, high = 0.0, 1.0
    if curve(low) >= target:
        return 0.0
    while curve(high) < target and high < 1e6:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if curve(middle) < target else (low, middle)
    return (low + high) / 2


def calibration_difference(
    a: Scored, b: Scored, level: float, seed: int, draws: int = 4000
) -> tuple[float, float, float]:
    """Value, low and high of the difference of two models' calibration errors on the same rows.

    The gaps of both models' bins are jointly normal with the covariance of the shared rows; draws of them
    give the bias and the law of the difference (basic bootstrap, Davison and Hinkley 1997, section 5.2).
    """
    one, two = gaps(a), gaps(b)
    size = (len(one.gap), len(two.gap))
    left, right = one.residual - one.gap[one.bin_of], two.residual - two.gap[two.bin_of]
    cell = one.bin_of * size[1] + two.bin_of
    joint = np.bincount(cell, left * right, minlength=size[0] * size[1])
    cross = joint.reshape(size) / np.outer(one.rows, two.rows)
    within = [np.bincount(g.bin_of, e**2) / g.rows**2 for g, e in ((one, left), (two, right))]
    covariance = np.block([[np.diag(within[0]), cross], [cross.T, np.diag(within[1])]])
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    normal = np.random.default_rng(seed).standard_normal((draws, len(values)))
    drawn = np.concatenate([one.gap, two.gap]) + normal @ root.T
    spread = np.abs(drawn[:, : size[0]]) @ one.weight - np.abs(drawn[:, size[0] :]) @ two.weight
    observed = one.plain - two.plain
    least, most = np.quantile(spread, [tail(level), 1 - tail(level)])
    return 2 * observed - float(spread.mean()), 2 * observed - float(most), 2 * observed - float(least)
