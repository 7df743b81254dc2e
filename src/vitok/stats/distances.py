"""Distances between two distributions that are given as counts of rows by bin.

Counts of the same distribution differ by chance, and the plain distances grow with that chance: each has its
expectation without a change taken off (`corrected`), so that verdicts do not depend on the number of rows.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitok.stats.scores import Floats

Counts = NDArray[np.int64]
# An empty bin stands for at most this share: new levels have a finite, fixed weight in logarithms.
LEAST_SHARE = 1e-4


def _special() -> Any:
    """scipy's special functions; slow to import, and most commands can do without."""
    import scipy.special

    return scipy.special


def shares(reference: Counts, current: Counts) -> tuple[Floats, Floats]:
    """Shares of the rows by bin on both sides; bins that are empty on both sides are left out.

    Where one side is empty neither share is taken below half a row or 1e-4, whichever is more.
    """
    used = (reference + current) > 0
    one, two = reference[used], current[used]
    p, q = one / int(one.sum()), two / int(two.sum())
    empty = (one == 0) | (two == 0)
    p[empty] = np.maximum(p[empty], max(LEAST_SHARE, 0.5 / int(one.sum())))
    q[empty] = np.maximum(q[empty], max(LEAST_SHARE, 0.5 / int(two.sum())))
    return p, q


def _chance(reference: Counts, current: Counts) -> float:
    """(B - 1)(1/n + 1/m): the expected squared distance, relative to the shares, without a change."""
    return (occupied(reference, current) - 1) * (1 / int(reference.sum()) + 1 / int(current.sum()))


def occupied(reference: Counts, current: Counts) -> int:
    """Number of bins that have rows on either side."""
    return int(np.count_nonzero(reference + current))


def psi(reference: Counts, current: Counts, *, corrected: bool = True) -> float:
    """Population stability index, sum (q - p) ln(q / p).

    Without a change it is distributed as (1/n + 1/m) times chi-square with B - 1 degrees of freedom (Yurdakul
    and Naranjo, J. Risk Model Validation 14, 2020); `corrected` takes off that expectation and cuts at zero.

    Args:
        reference: Shape (b,): rows by bin, at least one in all.
        current: Shape (b,), likewise.
        corrected: Whether to take off the expectation without a change.

    >>> round(psi(np.array([50, 50]), np.array([80, 20]), corrected=False), 3)
    0.416
    """
    p, q = shares(reference, current)
    value = float(np.sum((q - p) * np.log(q / p)))
    return max(0.0, value - _chance(reference, current)) if corrected else value


def psi_critical(bins: int, reference_rows: int, current_rows: int, alpha: float) -> float:
    """What PSI exceeds with chance `alpha` if nothing changed (Yurdakul and Naranjo 2020).

    >>> round(psi_critical(10, 100, 100, 0.05), 3)
    0.338
    """
    if bins < 2:
        return 0.0
    return (1 / reference_rows + 1 / current_rows) * float(_special().chdtri(bins - 1, alpha))


def ks(reference: Counts, current: Counts) -> float:
    """Kolmogorov-Smirnov distance over ordered bins: the largest gap of the cumulative shares.

    >>> ks(np.array([5, 5]), np.array([8, 2]))
    0.3
    """
    gap = np.cumsum(current) / current.sum() - np.cumsum(reference) / reference.sum()
    return round(float(np.abs(gap).max()), 15)


def js(reference: Counts, current: Counts, *, corrected: bool = True) -> float:
    """Jensen-Shannon distance: root of the divergence in bits, 0 to 1 (Lin, IEEE Trans. Inf. Th. 37, 1991).

    Without a change the divergence is about (B - 1)(1/n + 1/m) / (8 ln 2).

    >>> js(np.array([9, 0]), np.array([0, 9]), corrected=False)
    1.0
    """
    p, q = reference / reference.sum(), current / current.sum()
    value = (_relative(p, (p + q) / 2) + _relative(q, (p + q) / 2)) / 2 / math.log(2)
    if corrected:
        value -= _chance(reference, current) / (8 * math.log(2))
    return math.sqrt(min(1.0, max(0.0, value)))


def kl(reference: Counts, current: Counts, *, corrected: bool = True) -> float:
    """Kullback-Leibler divergence of current from reference shares, sum q ln(q / p), in nats.

    Without a change it is about (B - 1)(1/n + 1/m) / 2.
    """
    p, q = shares(reference, current)
    value = float(np.sum(q * np.log(q / p)))
    return max(0.0, value - _chance(reference, current) / 2) if corrected else max(0.0, value)


def hellinger(reference: Counts, current: Counts, *, corrected: bool = True) -> float:
    """Hellinger distance, sqrt(1 - sum sqrt(p q)), 0 to 1.

    Without a change its square is about (B - 1)(1/n + 1/m) / 8.
    """
    affinity = float(np.sum(np.sqrt(reference / reference.sum() * (current / current.sum()))))
    value = 1 - affinity - (_chance(reference, current) / 8 if corrected else 0.0)
    return math.sqrt(min(1.0, max(0.0, value)))


def chi_square(reference: Counts, current: Counts) -> tuple[float, float]:
    """Pearson's two-sample statistic and its p-value; bins empty on both sides are left out.

    >>> [round(value, 4) for value in chi_square(np.array([50, 50]), np.array([80, 20]))]
    [19.7802, 0.0]
    """
    used = (reference + current) > 0
    a, b = reference[used].astype(np.float64), current[used].astype(np.float64)
    if len(a) < 2:
        return 0.0, 1.0
    n, m = a.sum(), b.sum()
    value = float(np.sum((a * math.sqrt(m / n) - b * math.sqrt(n / m)) ** 2 / (a + b)))
    return value, float(_special().chdtrc(len(a) - 1, value))


def wasserstein(reference: Counts, current: Counts) -> float:
    """Mean distance that mass moves over ordered bins, in ranks of the reference, 0 to 1.

    The area between the current cumulative share, taken at the reference's quantiles, and the diagonal: an
    outlier is one rank beyond its neighbour, so that no tail drowns the rest.
    """
    p = reference / reference.sum()
    gap = np.concatenate([[0.0], np.cumsum(current) / current.sum() - np.cumsum(p)])
    left, right = np.abs(gap[:-1]), np.abs(gap[1:])
    total = left + right
    crossing = gap[:-1] * gap[1:] < 0
    squares = np.divide(left**2 + right**2, total, out=np.zeros_like(total), where=total > 0)
    return float(np.sum(p * np.where(crossing, squares, total) / 2))


def two_proportions(hits: tuple[int, int], rows: tuple[int, int]) -> float:
    """p-value of the two-sided pooled test that two shares are equal (chi-square, one degree of freedom)."""
    pooled = sum(hits) / sum(rows)
    if pooled in (0.0, 1.0):
        return 1.0
    gap = hits[0] / rows[0] - hits[1] / rows[1]
    return float(_special().chdtrc(1, gap * gap / (pooled * (1 - pooled) * (1 / rows[0] + 1 / rows[1]))))


def groups_of_equal_mass(reference: Counts, groups: int = 10) -> NDArray[np.int64]:
    """Shape (b,): the group of each ordered bin, so that groups hold about equal shares of the reference.

    A bin goes where its middle lies; a bin with more than one group's mass stays alone or nearly so. The same
    groups serve windows of any size, so that figures are comparable.
    """
    p = reference / max(1, int(reference.sum()))
    middle = np.cumsum(p) - p / 2
    number = np.minimum((middle * groups).astype(np.int64), groups - 1)
    return np.unique(number, return_inverse=True)[1].astype(np.int64)


def grouped(counts: Counts, group: NDArray[np.int64]) -> Counts:
    """Rows by group."""
    return np.bincount(group, counts, minlength=int(group.max(initial=-1)) + 1).astype(np.int64)


def _relative(p: Floats, q: Floats) -> float:
    used = p > 0
    return float(np.sum(p[used] * np.log(p[used] / q[used])))
