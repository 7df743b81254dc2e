"""Evidence on the mean of bounded values that may be looked at after every value.

Waudby-Smith & Ramdas, JRSS B 86, 2024 (arXiv 2010.09686): a gambler who bets on each value before seeing it, at fair
odds under the hypothesis, becomes rich only with small chance while the hypothesis holds. `BettingTest` bets one way
against one mean; `MeanSequence` gives an interval that holds at all times at once.

Values may come with bounds and variances of their own, known before each value, as they do where a share ramps up.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from vitok.stats.scores import Floats

MOST_STAKE = 0.5  # of the capital: a bet that goes wrong loses half of it at most
# Rows at which each bet of the sequence is at its best. The first follows the clock and never stops narrowing.
HORIZONS = (0.0, 1e3, 1e4, 1e5)
_TUNED_FOR = 4.5  # about log(8 / .05) less what the mixture gives back


class Bounds(NamedTuple):
    """What is known of each value before it is seen; numbers or arrays of shape (n,).

    Args:
        low: The least that the value can be.
        high: The most that it can be.
        scale: Its variance in units of that of an ordinary value.
    """

    low: ArrayLike
    high: ArrayLike
    scale: ArrayLike = 1.0

    def of(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        """The three as arrays of shape (n,).

        Raises:
            ValueError: a value lies outside its bounds.
        """
        low, high, scale = (np.broadcast_to(np.asarray(each, np.float64), values.shape) for each in self)
        slack = 1e-9 * (high - low)
        if not np.all((values >= low - slack) & (values <= high + slack)):
            raise ValueError("a value lies outside the bounds that were promised for it")
        return low, high, scale


def before(start: float, steps: Floats) -> Floats:
    """Shape (n + 1,): a running sum before each step, and after the last."""
    return np.cumsum(np.concatenate([[start], steps]))


@dataclass(frozen=True, slots=True)
class BettingTest:
    """An e-process against "the mean is at most `null`", or "at least" where it bets on a lower mean.

    The stake is clip(mu / (sigma^2 + mu^2), 0, 1/2) for gains in [-1, 1], from the past only.

    Args:
        null: The mean at the boundary of the hypothesis.
        low: The least that a value can be.
        high: The most that a value can be.
        is_above: Whether it bets that the mean is above `null`.
        spread: Variance of an ordinary value, as good as one row's word on it.
        log_e: Log of the capital now.
        highest: The highest so far.
        rows: Values seen.
        weight: Sum of 1 / scale.
        total: Sum of gain / scale.
        squares: Sum of gain^2 / scale.
    """

    null: float
    low: float
    high: float
    is_above: bool
    spread: float
    log_e: float = 0.0
    highest: float = 0.0
    rows: int = 0
    weight: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def against_at_most(cls, null: float, low: float, high: float, spread: float | None = None) -> Self:
        """Tests "the mean is at most `null`" on values in [low, high]."""
        return cls._start(null, low, high, True, spread)

    @classmethod
    def against_at_least(cls, null: float, low: float, high: float, spread: float | None = None) -> Self:
        """Tests "the mean is at least `null`" on values in [low, high]."""
        return cls._start(null, low, high, False, spread)

    @classmethod
    def _start(cls, null: float, low: float, high: float, is_above: bool, spread: float | None) -> Self:
        if not low < high:
            raise ValueError(f"values between {low} and {high} tell nothing")
        return cls(null, low, high, is_above, (high - low) ** 2 / 4 if spread is None else spread)

    def crossed(self, alpha: float) -> bool:
        """Whether the capital has ever reached 1/alpha."""
        return self.highest >= -math.log(alpha)

    def update(self, value: float) -> Self:
        """The test after one more value."""
        return self.update_many(np.array([value], dtype=np.float64))

    def update_many(self, values: ArrayLike, bounds: Bounds | None = None) -> Self:
        """The test after further values in their order, looked at after each; `bounds` where they have their own."""
        value = np.asarray(values, dtype=np.float64)
        if len(value) == 0:
            return self
        gain, scale = self._gains(value, bounds or Bounds(self.low, self.high))
        path = before(self.log_e, np.log1p(self._stakes(value, gain, scale, bounds) * gain))[1:]
        return type(self)(
            **{
                **asdict(self),
                "log_e": float(path[-1]),
                "highest": max(self.highest, float(path.max())),
                "rows": self.rows + len(value),
                "weight": float(before(self.weight, 1 / scale)[-1]),
                "total": float(before(self.total, gain / scale)[-1]),
                "squares": float(before(self.squares, gain * gain / scale)[-1]),
            }
        )

    def path(self, values: ArrayLike, bounds: Bounds | None = None) -> Floats:
        """Log capital after each further value."""
        value = np.asarray(values, dtype=np.float64)
        gain, scale = self._gains(value, bounds or Bounds(self.low, self.high))
        return before(self.log_e, np.log1p(self._stakes(value, gain, scale, bounds) * gain))[1:]

    def _gains(self, value: Floats, bounds: Bounds) -> tuple[Floats, Floats]:
        sign = 1.0 if self.is_above else -1.0
        return sign * (value - self.null), bounds.of(value)[2]

    def _stakes(self, value: Floats, gain: Floats, scale: Floats, bounds: Bounds | None) -> Floats:
        """Shape (n,): the stake on each value, from those before it."""
        low, high, _ = (bounds or Bounds(self.low, self.high)).of(value)
        loss = np.maximum(self.null - low if self.is_above else high - self.null, 1e-6 * (high - low))
        rows = self.rows + np.arange(len(value))
        weight = before(self.weight, 1 / scale)[:-1]
        total = before(self.total, gain / scale)[:-1]
        mean = np.divide(total, weight, out=np.zeros(len(value)), where=weight > 0) * rows / (rows + 1)
        moment = (self.spread + before(self.squares, gain * gain / scale)[:-1]) / (rows + 1)
        return np.asarray(np.clip(mean / (scale * moment), 0.0, MOST_STAKE / loss))

    def as_json(self) -> dict[str, Any]:
        """The state as JSON values; `from_json` takes it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """The test as `as_json` wrote it."""
        return cls(**state)


@dataclass(frozen=True, slots=True)
class MeanSequence:
    """A confidence sequence for a mean: with chance 1 - alpha its interval holds at all times at once.

    Each bet k stakes a predictable lambda on every value x, and exp(lambda (x - m) - (x - guess)^2 psi(lambda)) has
    expectation at most 1 under the mean m, with psi(lambda) = -log(1 - lambda) - lambda for values within 1 of the
    guess (empirical Bernstein: Howard et al., Ann. Stat. 49, 2021; Waudby-Smith & Ramdas, Theorem 2). The mixture of
    a few bets, best at different numbers of rows, is nearly as narrow at each of them as the best one alone.

    Args:
        low: The least that a value can be.
        high: The most that a value can be.
        spread: Variance of an ordinary value, as good as one row's word on it.
        rows: Values seen.
        weight: Sum of 1 / scale.
        total: Sum of value / scale.
        squares: Sum of (value - guess)^2 / scale.
        stakes: For each bet the sum of lambda.
        gains: For each bet the sum of lambda * value.
        prices: For each bet the sum of (value - guess)^2 psi(lambda).
    """

    low: float
    high: float
    spread: float
    rows: int = 0
    weight: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    stakes: tuple[float, ...] = (0.0,) * len(HORIZONS)
    gains: tuple[float, ...] = (0.0,) * len(HORIZONS)
    prices: tuple[float, ...] = (0.0,) * len(HORIZONS)

    @classmethod
    def start(cls, low: float, high: float, spread: float | None = None) -> Self:
        """No values yet, of those in [low, high]."""
        if not low < high:
            raise ValueError(f"values between {low} and {high} tell nothing")
        return cls(low, high, (high - low) ** 2 / 4 if spread is None else spread)

    def update(self, value: float) -> Self:
        """The sequence after one more value."""
        return self.update_many(np.array([value], dtype=np.float64))

    def update_many(self, values: ArrayLike, bounds: Bounds | None = None) -> Self:
        """The sequence after further values in their order; `bounds` where they have their own."""
        value = np.asarray(values, dtype=np.float64)
        if len(value) == 0:
            return self
        sums = self._sums(value, bounds or Bounds(self.low, self.high))
        stakes, gains, prices = (tuple(each[:, -1].tolist()) for each in sums[3:])
        weight, total, squares = (float(each[-1]) for each in sums[:3])
        rows = self.rows + len(value)
        kind = type(self)
        return kind(self.low, self.high, self.spread, rows, weight, total, squares, stakes, gains, prices)

    def _sums(self, value: Floats, bounds: Bounds) -> tuple[Floats, ...]:
        """Weight, total and squares of shape (n + 1,), and stakes, gains and prices of shape (k, n + 1)."""
        low, high, scale = bounds.of(value)
        rows = self.rows + np.arange(len(value))
        weight = before(self.weight, 1 / scale)
        total = before(self.total, value / scale)
        # One row of the middle value, at the weight of the average row.
        part = rows / (rows + 1)
        mean = np.divide(total[:-1], weight[:-1], out=np.zeros(len(value)), where=weight[:-1] > 0)
        guess = np.clip(part * mean + (1 - part) * (self.low + self.high) / 2, low, high)
        reach = np.maximum(high - guess, guess - low)
        error = (value - guess) ** 2
        squares = before(self.squares, error / scale)
        variance = (self.spread + squares[:-1]) / (rows + 1)
        density = np.divide(weight[:-1], rows, out=1 / scale, where=rows > 0)
        clock = (rows + 1) * np.log(rows + 2)
        sums = [weight, total, squares]
        parts = []
        for horizon in HORIZONS:
            target = clock if horizon == 0 else horizon
            stake = np.sqrt(2 * _TUNED_FOR / (variance * density * target)) / scale
            stake = np.minimum(stake, MOST_STAKE / reach)
            price = error / reach**2 * (-np.log1p(-stake * reach) - stake * reach)
            parts.append((stake, stake * value, price))
        for state, steps in zip(
            (self.stakes, self.gains, self.prices), zip(*parts, strict=True), strict=True
        ):
            sums.append(np.stack([before(begin, step) for begin, step in zip(state, steps, strict=True)]))
        return tuple(sums)

    @property
    def mean(self) -> float:
        """The mean so far, each value weighed by 1 / scale; the middle of the range before the first."""
        return self.total / self.weight if self.rows else (self.low + self.high) / 2

    def interval(self, alpha: float = 0.05) -> tuple[float, float]:
        """The interval now; the whole range while the values tell no more."""
        stakes, gains, prices = (np.array(each)[:, None] for each in (self.stakes, self.gains, self.prices))
        low, high = _interval(stakes, gains, prices, (self.low, self.high), alpha)
        return float(low[0]), float(high[0])

    def intervals(
        self, values: ArrayLike, alpha: float = 0.05, bounds: Bounds | None = None
    ) -> tuple[Floats, Floats]:
        """Lower and upper ends after each further value, shape (n,)."""
        value = np.asarray(values, dtype=np.float64)
        sums = self._sums(value, bounds or Bounds(self.low, self.high))
        stakes, gains, prices = (each[:, 1:] for each in sums[3:])
        return _interval(stakes, gains, prices, (self.low, self.high), alpha)

    def as_json(self) -> dict[str, Any]:
        """The state as JSON values; `from_json` takes it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """The sequence as `as_json` wrote it."""
        tuples = {name: tuple(state[name]) for name in ("stakes", "gains", "prices")}
        return cls(**{**state, **tuples})


def _interval(
    stakes: Floats, gains: Floats, prices: Floats, limits: tuple[float, float], alpha: float
) -> tuple[Floats, Floats]:
    """Means that the mixture of bets does not reject, by bisection; arguments of shape (k, n)."""
    bar = math.log(2 / alpha)

    def lowest(sign: float, least: float, most: float) -> Floats:
        """The largest mean that is rejected as too low, on the axis times `sign`."""
        low, high = np.full(stakes.shape[1], least), np.full(stakes.shape[1], most)
        for _ in range(60):
            middle = (low + high) / 2
            log_e = np.logaddexp.reduce(sign * gains - middle * stakes - prices, axis=0) - math.log(
                len(stakes)
            )
            is_rejected = log_e >= bar
            low, high = np.where(is_rejected, middle, low), np.where(is_rejected, high, middle)
        return low

    return lowest(1.0, *limits), -lowest(-1.0, -limits[1], -limits[0])
