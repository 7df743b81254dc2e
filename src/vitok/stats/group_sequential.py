"""Boundaries for a fixed number of looks at a z statistic, where the largest sample is known beforehand.

The statistic at the share t of the information is a Brownian motion over sqrt(t); its law on the way to a boundary
comes from the recursion of Armitage, McPherson & Rowe (JRSS A 132, 1969), integrated numerically (Jennison &
Turnbull, Group Sequential Methods, 2000, chapter 19). Boundaries by shape (Pocock, Biometrika 64, 1977; O'Brien &
Fleming, Biometrics 35, 1979) or by spending of alpha (Lan & DeMets, Biometrika 70, 1983), which allows looks at times
that nobody planned.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vitok.stats.intervals import normal_quantile
from vitok.stats.scores import Floats

Shape = Literal["pocock", "obrien-fleming"]
SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "pocock": lambda shares: np.ones(len(shares)),
    "obrien-fleming": lambda shares: np.asarray(1 / np.sqrt(shares)),
}
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(160)
_FAR = 9.0  # standard deviations beyond which nothing is left to integrate
_NEVER = 40.0  # a boundary that no statistic reaches


def _normal_above(z: Floats) -> Floats:
    from scipy.special import ndtr  # a quarter of a second that most commands can do without

    return np.asarray(ndtr(-z))


def crossing(
    shares: Sequence[float], bounds: Sequence[float], drift: float = 0.0, *, is_two_sided: bool = False
) -> Floats:
    """Chance of crossing the boundary first at each look, shape (k,).

    Args:
        shares: Shape (k,): shares of the information at the looks, rising, the last at most 1.
        bounds: Shape (k,): boundary of the z statistic at each look.
        drift: Expected z statistic at the full information; 0 under the hypothesis.
        is_two_sided: Whether -z is held against the same boundary.

    Two looks at z > 1.96 halfway and at the end have chances of .025 and .0166:

    >>> crossing([0.5, 1.0], [1.959964, 1.959964]).round(4).tolist()
    [0.025, 0.0166]
    """
    share, bound = np.asarray(shares, np.float64), np.asarray(bounds, np.float64)
    found = np.zeros(len(share))
    points, mass, time = np.zeros(1), np.ones(1), 0.0  # of the score S, a Brownian motion
    for look, (until, z) in enumerate(zip(share, bound, strict=True)):
        step, shift = math.sqrt(until - time), drift * (until - time)
        top = z * math.sqrt(until)
        found[look] = float(np.dot(mass, _normal_above((top - points - shift) / step)))
        bottom = drift * until - _FAR * math.sqrt(until)
        if is_two_sided:
            found[look] += float(np.dot(mass, _normal_above((points + shift + top) / step)))
            bottom = max(-top, bottom)
        highest = min(top, drift * until + _FAR * math.sqrt(until))
        nodes, weights = _pieces(bottom, max(highest, bottom + 1e-12), step)
        density = np.exp(-(((nodes[:, None] - points - shift) / step) ** 2) / 2) / (
            step * math.sqrt(2 * math.pi)
        )
        points, mass, time = nodes, weights * (density @ mass), float(until)
    return found


def _pieces(low: float, high: float, step: float) -> tuple[Floats, Floats]:
    """Nodes and weights of an integral from low to high, fine enough for densities as narrow as `step`."""
    parts = max(1, math.ceil((high - low) / (40 * step)))
    edges = np.linspace(low, high, parts + 1)
    half = (edges[1] - edges[0]) / 2
    nodes = ((edges[:-1] + edges[1:]) / 2)[:, None] + half * _NODES
    return nodes.ravel(), np.tile(half * _WEIGHTS, parts)


def even_looks(looks: int) -> tuple[float, ...]:
    """Shares of the information at equally spaced looks."""
    return tuple((look + 1) / looks for look in range(looks))


def shaped_bounds(
    shares: Sequence[float], alpha: float, shape: Shape, *, is_two_sided: bool = False
) -> tuple[float, ...]:
    """Boundary of one shape whose chance of ever being crossed under the hypothesis is alpha.

    Pocock's constant for five looks at two-sided 5 % (Jennison & Turnbull, table 2.1) is 2.413:

    >>> [round(bound, 3) for bound in shaped_bounds(even_looks(5), 0.05, "pocock", is_two_sided=True)][:2]
    [2.413, 2.413]
    """
    form = SHAPES[shape](np.asarray(shares, np.float64))

    def excess(constant: float) -> float:
        return float(crossing(shares, (constant * form).tolist(), is_two_sided=is_two_sided).sum()) - alpha

    return tuple((_root(excess, 0.0, _FAR) * form).tolist())


def spent(share: float, alpha: float, shape: Shape) -> float:
    """Alpha that may be spent by a share of the information (Lan & DeMets 1983; one-sided).

    >>> [round(spent(each, 0.025, "obrien-fleming"), 5) for each in (0.5, 1.0)]
    [0.00153, 0.025]
    """
    share = min(share, 1.0)
    if share <= 0:
        return 0.0
    if shape == "pocock":
        return alpha * math.log(1 + (math.e - 1) * share)
    return math.erfc(normal_quantile(1 - alpha / 2) / math.sqrt(share) / math.sqrt(2))


def spending_bounds(shares: Sequence[float], alpha: float, shape: Shape) -> tuple[float, ...]:
    """One-sided boundary at looks of any spacing; what is spent by each depends on its own time only.

    Args:
        shares: Shape (k,): shares of the information at the looks so far, rising. Later looks change no earlier bound.
        alpha: Chance of ever crossing it under the hypothesis, with a last look at the share 1.
        shape: Whose boundary it is like.
    """
    bounds: list[float] = []
    for look, share in enumerate(shares):
        may = spent(share, alpha, shape) - (spent(shares[look - 1], alpha, shape) if look else 0.0)
        bounds.append(_next_bound(shares[: look + 1], bounds, may))
    return tuple(bounds)


def _next_bound(shares: Sequence[float], bounds: Sequence[float], may: float) -> float:
    if may <= 0:
        return _NEVER

    def excess(bound: float) -> float:
        return float(crossing(shares, [*bounds, bound])[-1]) - may

    return _root(excess, -_FAR, _FAR) if excess(_FAR) < 0 else _NEVER


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function is zero, by bisection; the end on which it is not above zero."""
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return high


@dataclass(frozen=True, slots=True)
class LookPlan:
    """One-sided looks at a z statistic, planned with a largest sample.

    Args:
        shares: Shape (k,): shares of the largest sample at the looks; the last is 1.
        bounds: Shape (k,): roll back, or promote, at the first z statistic that reaches its bound.
        alpha: Chance of ever crossing under the hypothesis.
    """

    shares: tuple[float, ...]
    bounds: tuple[float, ...]
    alpha: float

    @classmethod
    def even(cls, looks: int, alpha: float = 0.05, shape: Shape = "obrien-fleming") -> "LookPlan":
        """Equally spaced looks with the classical boundary."""
        shares = even_looks(looks)
        return cls(shares, shaped_bounds(shares, alpha, shape), alpha)

    def crossed(self, statistics: Sequence[float]) -> bool:
        """Whether any z statistic so far, one for each look in order, has reached its bound."""
        return any(z >= bound for z, bound in zip(statistics, self.bounds, strict=False))

    def power(self, drift: float) -> float:
        """Chance of crossing, where the z statistic of the largest sample has this expectation."""
        return float(crossing(self.shares, self.bounds, drift).sum())

    def expected_share(self, drift: float) -> float:
        """Expected share of the largest sample at the end, where it ends at a crossing or with the last look."""
        first = crossing(self.shares, self.bounds, drift)
        return float(np.dot(first, self.shares) + (1 - first.sum()) * self.shares[-1])

    def inflation(self, power: float = 0.8) -> float:
        """The largest sample over the sample of one look at the end that has the same alpha and power.

        >>> round(LookPlan.even(5, 0.025, "pocock").inflation(0.9), 3)
        1.207
        """
        drift = _root(lambda size: power - self.power(size), 0.0, 20.0)
        return (drift / (normal_quantile(1 - self.alpha) + normal_quantile(power))) ** 2
