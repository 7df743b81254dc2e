"""Alarms through time that hold a budget of false ones: e-values of windows, summed up by an e-detector.

An e-value is a number that is at most one on average while nothing is wrong. An e-detector multiplies and adds those
of windows one after another; stopped when it passes 1/alpha it runs, while nothing is wrong, 1/alpha windows on
average before it cries (Shin, Ramdas and Rinaldo, arXiv 2203.03532). So the budget "one in 90 days" is its threshold.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from vitok.stats.scores import Floats

# Effects in standard errors that the mixture looks for. Small ones gather over many windows, large ones cry at once.
_SLOPES = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
_LEAST_P = 1e-15
# An e-value above this says no more than this: what follows must stay a finite number.
_MOST = 1e12

Kind = Literal["sr", "cusum"]


@dataclass(frozen=True, slots=True)
class Detector:
    """An e-detector after some windows.

    Args:
        level: Its value; it cries when this reaches the threshold.
        windows: How many windows it has seen.
        run: Windows since the evidence last began anew: where the change is likeliest to have begun.
        peak: CUSUM of the evidence, which `run` follows.
    """

    level: float = 0.0
    windows: int = 0
    run: int = 0
    peak: float = 0.0

    def after(self, e_value: float, kind: Kind = "sr") -> "Detector":
        """The detector one window later.

        Args:
            e_value: Of the window, at least 0.
            kind: `sr` (Shiryaev-Roberts, e (M + 1)) or `cusum` (e max(M, 1)).
        """
        factor = min(max(0.0, e_value), _MOST)
        begins = self.peak <= 1.0
        grown = self.level + 1.0 if kind == "sr" else max(self.level, 1.0)
        return Detector(
            level=min(factor * grown, _MOST),
            windows=self.windows + 1,
            run=1 if begins else self.run + 1,
            peak=min(factor * max(self.peak, 1.0), _MOST),
        )

    def as_json(self) -> dict[str, Any]:
        """The detector as JSON values."""
        return asdict(self)


def p_to_e(p_value: float) -> float:
    """The e-value of a p-value: the mean over k in (0, 1) of k p^(k-1) (Vovk and Wang, Ann. Statist. 49, 2021).

    >>> [round(p_to_e(p), 2) for p in (0.5, 0.05, 0.001)]
    [0.64, 1.78, 20.79]
    """
    p = min(max(p_value, _LEAST_P), 1.0)
    if p > 1 - 1e-6:
        return 0.5  # the limit of the formula at one
    log = math.log(p)
    return (1 - p + p * log) / (p * log * log)


def normal_e_value(excess: float, deviation: float) -> float:
    """The e-value of a normal figure against "its mean is at most zero".

    The mean of likelihood ratios exp(s z - s^2/2) over several slopes s, z = excess / deviation. A smaller mean makes
    each ratio smaller on average.

    Args:
        excess: How far the figure is beyond its bound.
        deviation: Its standard deviation, above 0.

    >>> [round(normal_e_value(z, 1.0), 2) for z in (-1.0, 0.0, 2.0, 4.0)]
    [0.31, 0.52, 3.37, 685.33]
    """
    z = min(max(excess / deviation, -40.0), 40.0)
    return min(float(np.mean(np.exp(_SLOPES * z - _SLOPES**2 / 2))), _MOST)


def bernoulli_e_values(hits: ArrayLike, base: float, changed: float) -> Floats:
    """Likelihood ratios of 0/1 outcomes for the rate `changed` against rates up to `base`.

    Args:
        hits: Shape (n,): whether each was an error.
        base: Upper bound of the rate while nothing is wrong, not a point estimate.
        changed: The rate that is looked for, above it.
    """
    hit = np.asarray(hits, dtype=bool)
    return np.where(hit, changed / base, (1 - changed) / (1 - base))


def shiryaev_roberts(e_values: Floats) -> Floats:
    """The level of a Shiryaev-Roberts detector after each of many e-values.

    Args:
        e_values: Shape (n,).

    >>> shiryaev_roberts(np.array([2.0, 0.5, 4.0])).tolist()
    [2.0, 1.5, 10.0]
    """
    levels, level = np.empty(len(e_values)), 0.0
    for place, each in enumerate(e_values.tolist()):
        level = min(each * (level + 1.0), _MOST)
        levels[place] = level
    return levels


def threshold(windows_between_false_alarms: float) -> float:
    """What a detector must reach so that it cries in vain at most once in so many windows, on average."""
    return max(1.0, windows_between_false_alarms)


def e_benjamini_hochberg(e_values: Sequence[float], alpha: float) -> list[int]:
    """Places of the hypotheses that e-BH rejects: on average at most a share alpha of them wrongly.

    Valid however the e-values depend on each other (Wang and Ramdas, J. R. Stat. Soc. B 84, 2022).

    >>> e_benjamini_hochberg([50.0, 1.0, 30.0, 0.2], alpha=0.1)
    [0, 2]
    """
    count = len(e_values)
    order = sorted(range(count), key=lambda place: -e_values[place])
    rejected = 0
    for rank, place in enumerate(order, start=1):
        if rank * e_values[place] >= count / alpha:
            rejected = rank
    return sorted(order[:rejected])
