"""The difference of two arms' means where units arrive one at a time and go to an arm by chance.

A unit in an arm of share rho counts (value - centre) / rho for the challenger and -(value - centre) / (1 - rho) for the
champion (inverse-probability weights; the centre, from the past only, removes what both arms have in common, as in
augmented weighting: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, arXiv 2103.06476). Each has the difference as its
expectation, whatever the share, and however the level moves that both arms share. So no pairs are needed.
"""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitok.stats.betting import BettingTest, Bounds, MeanSequence, before
from vitok.stats.scores import Floats


@dataclass(frozen=True, slots=True)
class ArmDifference:
    """Challenger's mean minus champion's, for a value where more is better.

    Args:
        low: The least that a value can be.
        high: The most that it can be.
        worse: Crossed when the difference is below its boundary: a reason to roll back.
        not_worse: Crossed when the difference is above its boundary: a reason to promote.
        sequence: Interval of the difference at all times.
        rows: Values seen.
        total: Sum of the values.
        challengers: Values of the challenger among them.
    """

    low: float
    high: float
    worse: BettingTest
    not_worse: BettingTest
    sequence: MeanSequence
    rows: int = 0
    total: float = 0.0
    challengers: int = 0

    @classmethod
    def start(
        cls, low: float = 0.0, high: float = 1.0, *, worse: float = 0.0, not_worse: float = -0.02
    ) -> Self:
        """No values yet.

        Args:
            low: The least that a value can be.
            high: The most that it can be.
            worse: `worse` tests "the difference is at least this".
            not_worse: `not_worse` tests "the difference is at most this".
        """
        if not low < high:
            raise ValueError(f"values between {low} and {high} tell nothing")
        span = high - low
        spread = span * span / 4
        return cls(
            low,
            high,
            BettingTest.against_at_least(worse, -span, span, spread),
            BettingTest.against_at_most(not_worse, -span, span, spread),
            MeanSequence.start(-span, span, spread),
        )

    def update(self, value: float, is_challenger: bool, share: float) -> Self:
        """After one more value; `share` is the challenger's when the unit was assigned."""
        return self.update_many(np.array([value]), np.array([is_challenger]), share)

    def update_many(self, values: ArrayLike, arms: NDArray[np.bool_], shares: ArrayLike) -> Self:
        """After further values in their order.

        Args:
            values: Shape (n,): between `low` and `high`.
            arms: Shape (n,): whether the unit was the challenger's.
            shares: Shape (n,) or a number: the challenger's share when the unit was assigned, in (0, 1).

        Raises:
            ValueError: a value out of its range, or a share of 0 or 1, where nothing is compared.
        """
        value, arm = np.asarray(values, dtype=np.float64), np.asarray(arms, dtype=bool)
        if len(value) == 0:
            return self
        weighed, bounds = self.weighed(value, arm, shares)
        return type(self)(
            self.low,
            self.high,
            self.worse.update_many(weighed, bounds),
            self.not_worse.update_many(weighed, bounds),
            self.sequence.update_many(weighed, bounds),
            self.rows + len(value),
            float(before(self.total, value)[-1]),
            self.challengers + int(np.count_nonzero(arm)),
        )

    def weighed(self, values: Floats, arms: NDArray[np.bool_], shares: ArrayLike) -> tuple[Floats, Bounds]:
        """Each unit's estimate of the difference, and the bounds that were known before it was seen."""
        share = np.broadcast_to(np.asarray(shares, dtype=np.float64), values.shape)
        if not np.all((share > 0) & (share < 1)):
            raise ValueError("arms are compared only while both have a share of the traffic")
        if not np.all((values >= self.low) & (values <= self.high)):
            raise ValueError(f"a value lies outside {self.low} to {self.high}")
        rows = self.rows + np.arange(len(values))
        centre = (before(self.total, values)[:-1] + (self.low + self.high) / 2) / (rows + 1)
        weighed = np.where(arms, (values - centre) / share, (centre - values) / (1 - share))
        down, up = centre - self.low, self.high - centre
        low = -np.maximum(down / share, up / (1 - share))
        high = np.maximum(up / share, down / (1 - share))
        return weighed, Bounds(low, high, 1 / (share * (1 - share)))

    def interval(self, alpha: float = 0.05) -> tuple[float, float]:
        """Interval of the difference that holds at all times at once with chance 1 - alpha."""
        return self.sequence.interval(alpha)

    def as_json(self) -> dict[str, Any]:
        """The state as JSON values; `from_json` takes it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """The state as `as_json` wrote it."""
        tests = {name: BettingTest.from_json(state[name]) for name in ("worse", "not_worse")}
        return cls(**{**state, **tests, "sequence": MeanSequence.from_json(state["sequence"])})
