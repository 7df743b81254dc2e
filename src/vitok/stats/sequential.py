"""Evidence on the ratio of two failure rates that may be looked at after every failure.

A request, or better a randomised unit, goes to the challenger with a known share. Given that it failed, its arm is a
coin whose bias tells the ratio of the two rates, whatever the rates themselves are and however they move: an incident
that hits both arms leaves the coin alone (Lindon & Malek, NeurIPS 2022, arXiv 2011.03567; here one-sided).

Count the first failure of each randomised unit only: a unit that stays in its arm and fails ten times is one coin.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitok.stats.scores import Floats

# How far beyond the boundary the true ratio may lie; between two of them little power is lost.
WORSE_BY = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
# Mostly the truth is a challenger as good as its champion: fewer alternatives leave more evidence to the likely ones.
BETTER_BY = (1.25, 1.5, 2.0)


def share_log_likelihood(ratios: ArrayLike, arms: NDArray[np.bool_], shares: ArrayLike) -> Floats:
    """Log probability of each failing unit's arm if the challenger's rate is `ratio` times the champion's.

    Args:
        ratios: Shape (k,) or a number.
        arms: Shape (n,): whether the failing unit was the challenger's.
        shares: Shape (n,) or a number: the challenger's share of traffic when the unit was assigned, in (0, 1).

    Returns:
        Shape (n, k), less a term that does not depend on the ratio.

    >>> odds = share_log_likelihood([2.0], np.array([True, False]), 0.5)[:, 0]
    >>> [round(float(np.exp(each)) / 2, 4) for each in odds]
    [0.6667, 0.3333]
    """
    ratio = np.atleast_1d(np.asarray(ratios, dtype=np.float64))
    arm = np.asarray(arms, dtype=bool)[..., None]
    share = np.broadcast_to(np.asarray(shares, dtype=np.float64), np.shape(arms))[..., None]
    return np.where(arm, np.log(ratio), 0.0) - np.log1p((ratio - 1.0) * share)


def log_e_path(logs: ArrayLike, steps: Floats) -> Floats:
    """Log of the mean of several likelihood ratios after each step.

    Args:
        logs: Shape (k,): where each stands, its weight included.
        steps: Shape (..., n, k): what each step adds.

    Returns:
        Shape (..., n).
    """
    begin = np.broadcast_to(np.asarray(logs, dtype=np.float64), (*steps.shape[:-2], 1, steps.shape[-1]))
    path = np.cumsum(np.concatenate([begin, steps], axis=-2), axis=-2)[..., 1:, :]
    return np.asarray(np.logaddexp.reduce(path, axis=-1))


@dataclass(frozen=True, slots=True)
class ErrorShare:
    """An e-process: under its hypothesis it reaches 1/alpha at any time at all with chance alpha at most.

    Args:
        tolerated: The ratio at the boundary of the hypothesis.
        alternatives: The ratios that it is compared with, all on one side of the boundary.
        logs: Log likelihood ratio of each alternative, its weight included.
        highest: The highest log E so far.
        units: Failing units seen.
        challengers: Those of the challenger among them.
    """

    tolerated: float
    alternatives: tuple[float, ...]
    logs: tuple[float, ...]
    highest: float = 0.0
    units: int = 0
    challengers: int = 0

    @classmethod
    def against_at_most(cls, ratio: float = 1.0, beyond: tuple[float, ...] = WORSE_BY) -> Self:
        """Tests "the challenger fails at most `ratio` times as often"; crossing it is a reason to roll back."""
        return cls._start(ratio, tuple(ratio * factor for factor in beyond))

    @classmethod
    def against_at_least(cls, ratio: float, below: tuple[float, ...] = BETTER_BY) -> Self:
        """Tests "the challenger fails at least `ratio` times as often"; crossing it is a reason to promote."""
        return cls._start(ratio, tuple(ratio / factor for factor in below))

    @classmethod
    def _start(cls, tolerated: float, alternatives: tuple[float, ...]) -> Self:
        if not 0 < tolerated < math.inf:
            raise ValueError(f"a ratio of failure rates is positive, not {tolerated}")
        return cls(tolerated, alternatives, (-math.log(len(alternatives)),) * len(alternatives))

    @property
    def log_e(self) -> float:
        """Log of the evidence against the hypothesis now; 0 at the start."""
        top = max(self.logs)
        return top + math.log(sum(math.exp(each - top) for each in self.logs))

    def crossed(self, alpha: float) -> bool:
        """Whether the evidence has ever reached 1/alpha (Ville's inequality bounds the chance of ever)."""
        return self.highest >= -math.log(alpha)

    def steps(self, arms: NDArray[np.bool_], shares: ArrayLike) -> Floats:
        """Shape (n, k): what each failing unit adds to the log likelihood ratio of each alternative.

        Raises:
            ValueError: a unit is in an arm that had no traffic at its time.
        """
        arm, share = np.asarray(arms, dtype=bool), np.asarray(shares, dtype=np.float64)
        if not np.all(np.where(arm, share > 0, share < 1) & (share >= 0) & (share <= 1)):
            raise ValueError(
                "a failing unit is in an arm whose share was zero; give the share of its own time"
            )
        ratios = np.array([*self.alternatives, self.tolerated])
        odds = share_log_likelihood(ratios, arm, share)
        return np.asarray(odds[..., :-1] - odds[..., -1:])

    def path(self, arms: NDArray[np.bool_], shares: ArrayLike) -> Floats:
        """Log E after each of further failing units; runs can be stacked before the last axis of `arms`."""
        return log_e_path(self.logs, self.steps(arms, shares))

    def update(self, is_challenger: bool, share: float) -> Self:
        """The test after one more failing unit, assigned when the challenger had this share of the traffic."""
        return self.update_many(np.array([is_challenger]), share)

    def update_many(self, arms: NDArray[np.bool_], shares: ArrayLike) -> Self:
        """The test after further failing units in the order of their failures, looked at after each.

        Args:
            arms: Shape (n,): whether the unit was the challenger's.
            shares: Shape (n,) or a number: the challenger's share when the unit was assigned.
        """
        if len(arms) == 0:
            return self
        steps = self.steps(arms, shares)
        logs = np.cumsum(np.concatenate([[self.logs], steps]), axis=0)[-1]
        highest = max(self.highest, float(log_e_path(self.logs, steps).max()))
        units, challengers = self.units + len(arms), self.challengers + int(np.count_nonzero(arms))
        kind = type(self)
        return kind(self.tolerated, self.alternatives, tuple(logs.tolist()), highest, units, challengers)

    def as_json(self) -> dict[str, Any]:
        """The state as JSON values; `from_json` takes it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """The test as `as_json` wrote it."""
        return cls(**{**state, "alternatives": tuple(state["alternatives"]), "logs": tuple(state["logs"])})


def band(rows: ArrayLike, alpha: float = 0.05, smallest: int = 1) -> Floats:
    """Half-width of a band around an empirical distribution function that holds at all times at once.

    Howard & Ramdas, Bernoulli 28, 2022, Theorem 2: from `smallest` observations on, the true function stays within it
    everywhere and for ever with chance 1 - alpha.

    Args:
        rows: Observations so far, at least `smallest`; fewer give a band of everything.
        alpha: Chance that it fails.
        smallest: The sample size from which on it holds; a later start is narrower afterwards.

    >>> band([100, 10_000], 0.05, 100).round(4).tolist()
    [0.245, 0.0269]
    """
    count = np.asarray(rows, dtype=np.float64)
    late = np.maximum(count, smallest)
    width = 0.85 * np.sqrt((np.log(np.log(math.e * late / smallest)) + 0.8 * math.log(1612 / alpha)) / late)
    return np.where(count >= smallest, np.minimum(width, 1.0), 1.0)


_RATIO_GRID = np.exp(np.linspace(-math.log(100.0), math.log(100.0), 801))


def ratio_interval(
    challengers: ArrayLike, units: ArrayLike, shares: ArrayLike, alpha: float = 0.05
) -> tuple[float, float]:
    """Interval of the ratio of the two failure rates that holds at all times at once, for pictures and texts.

    All ratios whose likelihood falls less than alpha short of that of a mixture (log-normal around 1); searched from
    1/100 to 100 in steps of about 1 %, and widened by a step.

    Args:
        challengers: Shape (s,): failing units of the challenger while it had each share.
        units: Shape (s,): failing units of both arms then.
        shares: Shape (s,): the shares, in (0, 1).
        alpha: Chance that it ever fails to hold.

    >>> [round(end, 2) for end in ratio_interval([60], [90], [0.5])]
    [1.02, 4.12]
    """
    hits, count, share = (
        np.atleast_1d(np.asarray(each, np.float64)) for each in (challengers, units, shares)
    )
    ratio = _RATIO_GRID
    odds = hits.sum() * np.log(ratio) - (count[:, None] * np.log1p((ratio - 1) * share[:, None])).sum(axis=0)
    prior = -(np.log(ratio) ** 2) / 2
    mixture = np.logaddexp.reduce(odds + prior) - np.logaddexp.reduce(prior)
    kept = np.flatnonzero(odds > mixture + math.log(alpha))
    low, high = max(int(kept[0]) - 1, 0), min(int(kept[-1]) + 1, len(ratio) - 1)
    return (0.0 if low == 0 else float(ratio[low])), (
        math.inf if high == len(ratio) - 1 else float(ratio[high])
    )
