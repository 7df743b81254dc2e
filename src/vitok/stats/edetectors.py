"""Alarms through time that hold a budget of false ones: e-values of windows, summed up by an e-detector.

An e-value is a number that is at most one on average while nothing is wrong. An e-detector multiplies and adds those
of windows one after another; stopped when it passes 1/alpha it runs, while nothing is wrong, 1/alpha windows on
average before it cries (Shin, Ramdas and Rinaldo, arXiv 2203.03532). So the budget "one in 90 days" is its threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vitok.stats.scores import Floats

# Effects in standard errors that are looked for. Small ones gather over many windows, large ones cry at once.
SLOPES = (0.25, 0.5, 1.0, 2.0, 4.0)
_SLOPES = np.array(SLOPES)
# An e-value above this says no more than this: what follows must stay a finite number.
_MOST = 1e12

EValues = tuple[float, ...]
NO_EVIDENCE: EValues = (1.0,) * len(SLOPES)
CERTAIN: EValues = (1e6,) * len(SLOPES)


@dataclass(frozen=True, slots=True)
class Detector:
    """Shiryaev-Roberts detectors of one figure after some windows, one for each effect that is looked for.

    Their mean is an e-detector as each of them is: mixing what has been gathered keeps the evidence of the effect that
    is really there, while a mixture in each window would thin it out again and again.

    Args:
        levels: Of each effect: M, which a window's e-value takes to e (M + 1).
        windows: How many windows it has seen.
        run: Windows since the evidence last began anew: where the change is likeliest to have begun.
        peak: CUSUM of the evidence, which `run` follows.
    """

    levels: tuple[float, ...] = (0.0,) * len(SLOPES)
    windows: int = 0
    run: int = 0
    peak: float = 0.0

    @property
    def level(self) -> float:
        """The mean over effects: what is compared with the threshold."""
        return sum(self.levels) / len(self.levels)

    @property
    def best(self) -> int:
        """The effect that has gathered most."""
        return max(range(len(self.levels)), key=self.levels.__getitem__)

    def after(self, e_values: EValues) -> "Detector":
        """The detector one window later.

        Args:
            e_values: Of the window, one for each effect.
        """
        levels = tuple(
            min(each * (level + 1.0), _MOST) for each, level in zip(e_values, self.levels, strict=True)
        )
        mean = sum(e_values) / len(e_values)
        return Detector(
            levels=levels,
            windows=self.windows + 1,
            run=1 if self.peak <= 1.0 else self.run + 1,
            peak=min(mean * max(self.peak, 1.0), _MOST),
        )

    def as_json(self) -> dict[str, Any]:
        """The detector as JSON values."""
        return {
            "levels": [float(f"{level:.6g}") for level in self.levels],
            "windows": self.windows,
            "run": self.run,
            "peak": float(f"{self.peak:.6g}"),
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Detector":
        """Reads it."""
        return Detector(tuple(value["levels"]), value["windows"], value["run"], value["peak"])


def normal_e_values(excess: float, deviation: float) -> EValues:
    """E-values of a normal figure against "its mean is at most zero", one for each effect.

    The likelihood ratios exp(s z - s^2/2) of effects s, z = excess / deviation. A smaller mean makes each of them
    smaller on average.

    Args:
        excess: How far the figure is beyond its bound.
        deviation: Its standard deviation, above 0.

    >>> [round(each, 2) for each in normal_e_values(2.0, 1.0)]
    [1.6, 2.4, 4.48, 7.39, 1.0]
    """
    z = min(max(excess / deviation, -40.0), 40.0)
    return tuple(min(float(each), _MOST) for each in np.exp(_SLOPES * z - _SLOPES**2 / 2))


def mean_evidence(found: Sequence[EValues]) -> EValues:
    """The mean of the e-values of several tests in one window, which is one, effect by effect."""
    return tuple(sum(each) / len(found) for each in zip(*found, strict=True))


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
