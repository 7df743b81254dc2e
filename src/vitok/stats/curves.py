"""Learning curves: an inverse power law through the metric at several training sizes, and what more rows would add.

The law is value(n) = a - b (n / N)^-c with b >= 0, where N is the present number of rows (Cortes et al., NeurIPS 6,
1993; Hestness et al., arXiv:1712.00409 for the range of c). For a given c it is linear in a and b, so that c is found
on a grid: no start, no local optimum, and all draws of a bootstrap at once.
"""

from dataclasses import dataclass

import numpy as np

from vitok.stats.intervals import quantile, tail
from vitok.stats.scores import Floats, Undecidable

EXPONENTS = np.linspace(0.05, 2.0, 79)
FEWEST_SIZES = 4
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """The law value(n) = ceiling - drop * (n / rows)^-exponent.

    Args:
        ceiling: What the metric tends to, higher is better.
        drop: How far below the ceiling the metric is at `rows`; zero if more rows add nothing.
        exponent: How fast that shrinks.
        rows: The present number of rows.
        residual: Root mean squared deviation of the points, with n - 3 degrees of freedom.
    """

    ceiling: float
    drop: float
    exponent: float
    rows: float
    residual: float

    def at(self, rows: float) -> float:
        """The metric at so many rows."""
        return float(self.ceiling - self.drop * (rows / self.rows) ** -self.exponent)


@dataclass(frozen=True, slots=True)
class Gains:
    """What more rows would add.

    Args:
        law: The fitted law.
        values: Expected gain at each number of rows asked for.
        low, high: 90 % bounds of it.
        draws: Shape (draws, sizes asked for): the gains of the parametric bootstrap.
    """

    law: PowerLaw
    values: Floats
    low: Floats
    high: Floats
    draws: Floats


def fit_power_law(sizes: Floats, values: Floats) -> PowerLaw:
    """Least squares fit.

    Args:
        sizes: Shape (k,): numbers of training rows, rising; the last is the present one.
        values: Shape (k,): the metric, higher is better.

    Raises:
        Undecidable: fewer than four sizes.

    >>> n = np.array([1000.0, 2000, 4000, 8000])
    >>> law = fit_power_law(n, 0.8 - 0.05 * (n / 8000) ** -0.5)
    >>> round(law.ceiling, 3), round(law.drop, 3), round(law.exponent, 2)
    (0.8, 0.05, 0.5)
    """
    if len(sizes) < FEWEST_SIZES:
        raise Undecidable(f"{len(sizes)} sizes are too few for a curve")
    ceiling, drop, exponent, rest = _fit_many(sizes / sizes[-1], values[None, :])
    residual = float(np.sqrt(rest[0] / (len(sizes) - 3)))
    return PowerLaw(float(ceiling[0]), float(drop[0]), float(exponent[0]), float(sizes[-1]), residual)


def _fit_many(shares: Floats, values: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Fits the law to each row of values, shape (r, k); returns ceiling, drop, exponent and squared error."""
    basis = shares[None, :] ** -EXPONENTS[:, None]  # (exponents, k)
    centred = basis - basis.mean(axis=1, keepdims=True)
    moved = values - values.mean(axis=1, keepdims=True)
    drop = np.maximum(0.0, -(moved @ centred.T) / np.square(centred).sum(axis=1))  # (r, exponents)
    rest = np.square(moved[:, None, :] + drop[:, :, None] * centred[None, :, :]).sum(axis=2)
    best = np.argmin(rest, axis=1)
    rows = np.arange(len(values))
    chosen = drop[rows, best]
    ceiling = values.mean(axis=1) + chosen * basis.mean(axis=1)[best]
    return ceiling, chosen, EXPONENTS[best], rest[rows, best]


def gains_of_more_rows(
    sizes: Floats, values: Floats, covariance: Floats, asked: Floats, *, seed: int = 0, level: float = 0.90
) -> Gains:
    """What more training rows would add to the metric, with its uncertainty.

    Parametric bootstrap: points are drawn around the fitted law with the covariance that the shared test rows give
    them, and with what the scatter of the points about the law has beyond that (its variance is unknown, so that a
    chi-square of k - 3 degrees of freedom is drawn for it). Each draw is fitted and extrapolated anew.

    Args:
        sizes: Shape (k,): numbers of training rows, rising; the last is the present one.
        values: Shape (k,): the metric, higher is better.
        covariance: Shape (k, k): of the values, over test rows.
        asked: Shape (m,): numbers of rows to extrapolate to.
        seed: Of the draws.

    Raises:
        Undecidable: fewer than four sizes.
    """
    law = fit_power_law(sizes, values)
    k, rng = len(sizes), np.random.default_rng(seed)
    fitted = np.array([law.at(size) for size in sizes])
    shared = rng.multivariate_normal(np.zeros(k), covariance, size=DRAWS, method="eigh")
    scatter = law.residual**2 * (k - 3) / rng.chisquare(k - 3, size=(DRAWS, 1))
    # What the test rows explain of the scatter is in `shared` already; the rest comes from which rows were trained on.
    extra = np.sqrt(np.maximum(0.0, scatter - _own_variance(covariance)))
    drawn = fitted + shared + extra * rng.standard_normal((DRAWS, k))
    _, drop, exponent, _ = _fit_many(sizes / sizes[-1], drawn)
    shares = asked / sizes[-1]
    draws = drop[:, None] * (1 - shares[None, :] ** -exponent[:, None])
    expected = law.drop * (1 - shares**-law.exponent)
    low, high = np.quantile(draws, [tail(level), 1 - tail(level)], axis=0)
    return Gains(law, expected, np.minimum(low, expected), np.maximum(high, expected), draws)


def _own_variance(covariance: Floats) -> float:
    """The part of the points' variance that they do not share: half the mean variance of neighbours' differences."""
    spread = np.diag(covariance)
    steps = spread[1:] + spread[:-1] - 2 * np.diag(covariance, 1)
    return float(np.mean(steps)) / 2


def falls(values: Floats, covariance: Floats, level: float = 0.90) -> int | None:
    """The earlier size that beats all rows beyond chance, the best of them first; None if none does.

    Each fall from an earlier size to the last is set against its paired standard error, at a level that allows for
    the number of sizes (Bonferroni). Dips between earlier sizes are scatter, which widens the interval of the gain.

    >>> falls(np.array([0.70, 0.75, 0.60]), np.eye(3) * 1e-4)
    1
    """
    last = len(values) - 1
    limit = quantile(1 - (1 - level) / last, float("inf"))
    found = []
    for place in range(last):
        variance = covariance[place, place] + covariance[last, last] - 2 * covariance[place, last]
        fall = float(values[place] - values[last])
        if fall > limit * float(np.sqrt(max(0.0, variance))) and fall > 0:
            found.append((fall, place))
    return max(found)[1] if found else None
