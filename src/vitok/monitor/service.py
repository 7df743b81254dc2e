"""How well the service answers: latency, throughput, failures, and the error budget of what is promised."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from vitok.stats.burning import BURN_RULES, BurnRule

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Service:
    """How a period was answered.

    Args:
        rows: How many were asked for.
        per_second: Their number by the length of the period.
        latency_ms: Median, 95 % and 99 % quantile of the time that versions took; None if nothing was measured.
        failed, fallback, handed_over: Shares of the rows; None without rows.
    """

    rows: int
    per_second: float
    latency_ms: tuple[float, float, float] | None
    failed: float | None
    fallback: float | None
    handed_over: float | None


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast the budget burns by one rule.

    Args:
        limit: The rate from which on it is too fast.
        long_rate, short_rate: Rates of both windows; 1 uses the budget up just when its period ends.
    """

    rule: BurnRule
    limit: float
    long_rate: float
    short_rate: float

    @property
    def is_too_fast(self) -> bool:
        """Whether both windows burn faster than the limit."""
        return self.long_rate > self.limit and self.short_rate > self.limit


@dataclass(frozen=True, slots=True)
class Budget:
    """What became of one promise.

    Args:
        objective: Share that must be good.
        total, bad: Rows of the period, and those that missed the promise.
        left: Share of the budget that is left; negative if more was missed than allowed, 1 without rows.
        burns: By the rules of `BURN_RULES`.
    """

    objective: float
    total: int
    bad: int
    left: float
    burns: tuple[Burn, ...]


def service_figures(actions: Sequence[str], micros: Floats, period: timedelta) -> Service:
    """The figures of a period.

    Args:
        actions: Who decided each row: `model`, `rule`, `default`, `fallback`, `hand_over` or `failed`.
        micros: Microseconds that the version took; NaN where it failed.
        period: Its length.
    """
    found, measured = np.asarray(actions, dtype=str), micros[~np.isnan(micros)]
    quantiles = np.quantile(measured, (0.5, 0.95, 0.99)) / 1000 if measured.size else None

    def share(*names: str) -> float | None:
        return float(np.isin(found, names).mean()) if found.size else None

    return Service(
        rows=found.size,
        per_second=found.size / period.total_seconds(),
        latency_ms=None
        if quantiles is None
        else (float(quantiles[0]), float(quantiles[1]), float(quantiles[2])),
        failed=share("failed"),
        fallback=share("fallback", "default"),
        handed_over=share("hand_over"),
    )


def budget_of(seconds: Floats, is_bad: Flags, objective: float, over: timedelta) -> Budget:
    """The error budget of a promise, and how fast it burns.

    Args:
        seconds: Age of each row at the present; rows older than the period are left out.
        is_bad: Whether the row missed the promise.
        objective: Share that must be good, below 1.
        over: The period of the budget.

    >>> ages, bad = np.linspace(0, 86400 * 29, 1000), np.arange(1000) % 200 == 0
    >>> budget = budget_of(ages, bad, 0.99, timedelta(days=30))
    >>> budget.bad, round(budget.left, 3)
    (5, 0.5)
    """

    def rate(length: timedelta) -> tuple[int, int, float]:
        inside = seconds <= length.total_seconds()
        total, bad = int(inside.sum()), int(is_bad[inside].sum())
        return total, bad, bad / total / (1 - objective) if total else 0.0

    total, bad, used = rate(over)
    burns = tuple(Burn(rule, rule.rate(over), rate(rule.long)[2], rate(rule.short)[2]) for rule in BURN_RULES)
    return Budget(objective, total, bad, 1 - used, burns)


def mean_time(spans: Sequence[timedelta]) -> timedelta | None:
    """The mean of some lengths of time, None of none; a clock that was set back counts as no time."""
    return sum((max(span, timedelta(0)) for span in spans), timedelta(0)) / len(spans) if spans else None
