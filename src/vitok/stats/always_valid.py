"""How long a comparison of means takes that may be looked at after every unit (`vitok.stats.arm_difference`).

There is no formula for it. The test's capital is followed over blocks of units: a block's sum is normal, its squares
are their expectation, and log(1 + stake x gain) is its first two terms. That holds for the small stakes of differences
that take hundreds of units, and the price does not grow with their number.
"""

import math
from dataclasses import dataclass

import numpy as np

from vitok.stats.betting import MOST_STAKE
from vitok.stats.scores import Floats

_BLOCKS, _RUNS = 1200, 4000
_LONGEST = 8.0  # times the units of one test at the end; few runs take longer


@dataclass(frozen=True, slots=True)
class Arms:
    """Two arms as they truly are.

    Args:
        difference: Challenger's mean less champion's; above 0.
        champion: Standard deviation of the champion's values.
        challenger: Of the challenger's.
        share: The challenger's share of the units.
        span: Most less least value.
    """

    difference: float
    champion: float
    challenger: float
    share: float
    span: float

    @property
    def square(self) -> float:
        """Expected square of a unit's estimate of the difference."""
        rho = self.share
        new = self.challenger**2 + ((1 - rho) * self.difference) ** 2
        old = self.champion**2 + (rho * self.difference) ** 2
        return new / rho + old / (1 - rho)


@dataclass(frozen=True, slots=True)
class Waiting:
    """When the test finds the difference.

    Args:
        mean: Mean number of units.
        enough: Units by which a share `power` of the tests have found it.
        power: That share.
    """

    mean: float
    enough: float
    power: float


def units_to_find(arms: Arms, alpha: float, power: float, once: float, *, seed: int = 0) -> Waiting:
    """Units of both arms until the betting test finds the difference, by simulation.

    Args:
        arms: The truth.
        alpha: Of the test, one-sided.
        power: The share of tests that are to have found it.
        once: Units that one test at the end would need; what is looked at is measured by it.
        seed: Of the simulation.
    """
    stops = _stops(arms, alpha, once * _LONGEST / _BLOCKS, np.random.default_rng(seed))
    return Waiting(float(stops.mean()), float(np.quantile(stops, power)), power)


def _stops(arms: Arms, alpha: float, block: float, rng: np.random.Generator) -> Floats:
    """Units at the crossing in each run, shape (runs,); the most where there is none."""
    rho = arms.share
    scale = 1 / (rho * (1 - rho))
    most_loss = arms.span / min(rho, 1 - rho)
    deviation = math.sqrt(max(arms.square - arms.difference**2, 0.0) * block)
    total, squares, capital = np.zeros(_RUNS), 0.0, np.zeros(_RUNS)
    stops = np.full(_RUNS, block * _BLOCKS)
    is_open, bar = np.ones(_RUNS, dtype=bool), -math.log(alpha)
    for number in range(1, _BLOCKS + 1):
        stake = np.clip(total / (scale * arms.span**2 / 4 + squares), 0.0, MOST_STAKE / most_loss)
        gain = rng.normal(arms.difference * block, deviation, _RUNS)
        capital += stake * gain - stake**2 * arms.square * block / 2
        has_crossed = is_open & (capital >= bar)
        stops[has_crossed] = block * number
        is_open &= ~has_crossed
        total += gain
        squares += arms.square * block
        if not is_open.any():
            break
    return stops
