"""Intervals: for a share, a ranking, anything with an influence per row, and by bootstrap of cells."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vitok.stats.scores import Floats, Undecidable

Link = Literal["identity", "logit", "log", "log_rest"]


def tail(level: float) -> float:
    """Chance on each side of a central interval, for example .05 for the level .90."""
    return (1.0 - level) / 2.0


def normal_quantile(share: float) -> float:
    """Quantile of the standard normal distribution.

    >>> round(normal_quantile(0.975), 6)
    1.959964
    """
    return NormalDist().inv_cdf(share)


def wilson(successes: float, rows: float, level: float = 0.90) -> tuple[float, float]:
    """Score interval of a share (Wilson, JASA 22, 1927, p. 209; Newcombe, Stat. Med. 17, 1998, method 3).

    Newcombe's published example, 81 of 263 at 95 %:

    >>> [round(bound, 4) for bound in wilson(81, 263, 0.95)]
    [0.2553, 0.3662]
    """
    z = normal_quantile(1 - tail(level))
    share = successes / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    return low, 1.0 if successes == rows else min(1.0, middle + half)


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """A figure and what each row contributes to its error.

    Args:
        value: The figure.
        rows: Shape (n,): contributions, scaled so that the variance of `value` is `sum(rows**2) / n**2`.
        link: The scale on which the error is closest to normal.
        floor: Variance to add where the sample is so clean (a perfect ranking) that it shows none.
        free: Degrees of freedom of the t quantile.
    """

    value: float
    rows: Floats
    link: Link = "identity"
    floor: float = 0.0
    free: float = math.inf

    @property
    def variance(self) -> float:
        """Variance of the value."""
        return float(np.dot(self.rows, self.rows)) / len(self.rows) ** 2 + self.floor


def quantile(level: float, free: float) -> float:
    """Upper quantile of a central interval: of t with so many degrees of freedom, normal if infinite."""
    upper = 1.0 - tail(level)
    if math.isinf(free):
        return normal_quantile(upper)
    from scipy.special import stdtrit  # a quarter of a second that most commands can do without

    return float(stdtrit(free, upper))


def influence_interval(figure: Influence, level: float) -> tuple[float, float]:
    """Interval by normal theory on the scale of the link, taken back.

    The link is dropped where it is not defined (a figure at the end of its range).
    """
    half, value = quantile(level, figure.free) * math.sqrt(figure.variance), figure.value
    if figure.link == "logit" and 0 < value < 1:
        step = half / (value * (1 - value))
        return _expit(_logit(value) - step), _expit(_logit(value) + step)
    if figure.link == "log" and value > 0:
        return value * math.exp(-half / value), value * math.exp(half / value)
    if figure.link == "log_rest" and value < 1:
        factor = math.exp(half / (1 - value))
        return 1 - (1 - value) * factor, 1 - (1 - value) / factor
    low, high = value - half, value + half
    return (max(0.0, low), min(1.0, high)) if figure.link == "logit" else (low, high)


def jackknife_error(parts: Floats) -> float:
    """Standard error of a figure from its values without each of some folds.

    Delete-a-group jackknife (Kott, J. Official Statistics 17, 2001). Of single rows and their mean it is the usual one:

    >>> jackknife_error(np.array([2.0, 1.5, 1.0]))  # 0, 1 and 2 without each: sqrt(1 / 3)
    0.5773502691896257

    Args:
        parts: Shape (folds,).
    """
    count = len(parts)
    return float(np.sqrt((count - 1) / count * np.sum((parts - parts.mean()) ** 2)))


def _logit(share: float) -> float:
    return math.log(share) - math.log1p(-share)


def _expit(number: float) -> float:
    return 1 / (1 + math.exp(-number)) if number > -700 else 0.0


def placements(positive: NDArray[np.bool_], scores: NDArray[np.generic]) -> Floats:
    """Shape (n,): for each row the share of the other class that it is rightly ranked to; ties count half.

    DeLong's structural components V10 (positive rows) and V01 (negative rows), DeLong et al., Biometrics 44,
    1988; by two sorted searches in O(n log n), as in Sun and Xu, IEEE Signal Proc. Letters 21, 2014.
    """
    above, below = np.sort(scores[positive]), np.sort(scores[~positive])
    result = np.empty(len(scores))
    mine, theirs = scores[positive], scores[~positive]
    result[positive] = (np.searchsorted(below, mine) + np.searchsorted(below, mine, "right")) / (
        2 * len(below)
    )
    lost = (np.searchsorted(above, theirs) + np.searchsorted(above, theirs, "right")) / (2 * len(above))
    result[~positive] = 1 - lost
    return result


def delong(positive: NDArray[np.bool_], scores: NDArray[np.generic]) -> tuple[float, Floats]:
    """Area under the ROC curve, and contributions that reproduce DeLong's variance and covariance exactly.

    Returns:
        The area A and r of shape (n,): `sum(r**2)/n**2` is DeLong's variance of A, and `sum(r_a*r_b)/n**2`
        the covariance of two models on the same rows.

    Raises:
        Undecidable: fewer than two rows of a class.
    """
    n, many = len(positive), int(np.count_nonzero(positive))
    if min(many, n - many) < 2:
        raise Undecidable(f"only {min(many, n - many)} row of one class among {n} rows")
    right = placements(positive, scores)
    area = float(right[positive].mean())
    scale = np.where(positive, n / math.sqrt(many * (many - 1)), n / math.sqrt((n - many) * (n - many - 1)))
    return area, (right - area) * scale


def bootstrap_cells(
    counts: NDArray[np.int64],
    statistic: Callable[[Floats], Floats],
    level: float,
    seed: int,
    replicates: int = 4000,
    added: float = 0.5,
) -> tuple[float, float]:
    """Percentile interval by drawing tables of counts instead of rows: the same law, at the cost of cells.

    Half a row is added to each cell, so that a table without disagreement still has an honest width (Agresti
    and Min, Stat. Med. 24, 2005).

    Args:
        counts: Shape (c,): rows by cell.
        statistic: From tables of shape (r, c) to values of shape (r,); NaN where a table leaves it undefined.
        level: Of the interval.
        seed: Of the draws.
        replicates: Number of tables, in batches of bounded memory.
        added: Rows added to each cell.

    Raises:
        Undecidable: more than one table in twenty leaves the statistic undefined.
    """
    rng, rows = np.random.default_rng(seed), int(counts.sum())
    share = (counts + added) / (rows + added * len(counts))
    batch = max(1, min(replicates, 4_000_000 // len(counts)))
    drawn: list[Floats] = []
    for start in range(0, replicates, batch):
        tables = rng.multinomial(rows, share, size=min(batch, replicates - start)).astype(np.float64)
        drawn.append(statistic(tables))
    values = np.concatenate(drawn)
    values = values[np.isfinite(values)]
    if len(values) < 0.95 * replicates:
        raise Undecidable(f"too few deciding rows among {rows}")
    low, high = np.quantile(values, [tail(level), 1 - tail(level)])
    return float(low), float(high)
