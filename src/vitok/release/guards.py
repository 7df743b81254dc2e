"""What a roll-out has shown so far: each limit of the charter, broken, kept, or not yet known.

A limit is broken when the new version is worse for certain (an e-process that may be looked at after every unit) and by
more than the limit as far as one can tell. It is kept when harm beyond the limit is excluded. Both hold however often
one looks; the chance to take back a version that is no worse is shared out among the limits.
"""

import math
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from vitok.stats.arm_difference import ArmDifference
from vitok.stats.betting import BettingTest, MeanSequence
from vitok.stats.ratio_mismatch import RatioMismatch
from vitok.stats.scores import Floats
from vitok.stats.sequential import ErrorShare, ratio_interval

Bools = npt.NDArray[np.bool_]
FEWER_BY = (1.05, 1.1, 1.25, 1.5, 2.0)  # by how much a rate of outcomes differs, where it does
MOST_ERRORS = 1.5  # multiple of the champion's failures that no version may exceed that takes over
SLOW_SHARE = 0.05  # of the units that may exceed a p95
MISMATCH_ALPHA = 0.001  # a wrong split is no matter of the version: it must not add to its false alarms


class Limits(msgspec.Struct, frozen=True):
    """The limits of a roll-out.

    Args:
        errors, latency: Multiples of the champion's; None for no limit.
        quality, profit: Tolerated losses; None for no limit.
        negligible: Share of failing or slow units up to which their ratio does not matter.
        alpha: Chance of taking back a version that is no worse.
        conversion: Tolerated drop of the units with the positive outcome, as a share of the champion's.
        latency_p95: Milliseconds that at most one unit in twenty may exceed.
    """

    errors: float | None
    latency: float | None
    quality: float | None
    profit: float | None
    negligible: float
    alpha: float
    conversion: float | None = None
    latency_p95: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The limits that are set."""
        return tuple(
            name
            for name in ("errors", "latency", "quality", "profit", "conversion", "latency_p95")
            if getattr(self, name) is not None
        )

    @property
    def each(self) -> float:
        """The part of alpha that each limit has."""
        return self.alpha / max(1, len(self.names))


class Events(NamedTuple):
    """Failures, or slow answers, of units.

    Args:
        arms, shares: Of each unit that has failed, in the order of the first failures: whether it is the challenger's,
            and the challenger's share then.
        firsts: For each unit of the challenger, in the order of first sight, whether its first row failed.
        units: Units of the champion and of the challenger.
    """

    arms: Bools
    shares: Floats
    firsts: Bools
    units: tuple[int, int]


class Values(NamedTuple):
    """A figure of units, one value each, in the order of first sight; more is better.

    Args:
        values: Shape (n,).
        arms, shares: Whether the unit is the challenger's, and the challenger's share then.
        low, high: Between which values lie.
    """

    values: Floats
    arms: Bools
    shares: Floats
    low: float
    high: float


class Finding(msgspec.Struct, frozen=True):
    """What is known of one limit.

    Args:
        guard: `errors`, `latency p99`, `quality`, ...
        limit: Of the charter.
        broken, kept: Whether the limit is broken, or kept for certain.
        log_e, boundary: The highest evidence that the new version is worse, and where it counts.
        champion, challenger: Rates or means; None where there is nothing yet.
        low, high: Of the ratio (errors, latency) or the difference, at all times at once.
        units: How many units were compared.
    """

    guard: str
    limit: float
    broken: bool
    kept: bool
    log_e: float
    boundary: float
    champion: float | None
    challenger: float | None
    low: float
    high: float
    units: int

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if self.champion is None or self.challenger is None:
            return f"{self.guard}: nothing to compare yet"
        state = "broken" if self.broken else "kept" if self.kept else "not decided"
        if self.guard.startswith(("errors", "latency", "conversion")):
            told = f"{self.challenger:.2%} of units against {self.champion:.2%}"
            return f"{self.guard} {state}: {told}, ratio between {self.low:.2f} and {self.high:.2f}"
        told = f"{self.challenger:.4g} against {self.champion:.4g}"
        return f"{self.guard} {state}: {told}, difference between {self.low:.4f} and {self.high:.4f}"


def judge_events(guard: str, seen: Events, limit: float, limits: Limits, alpha: float) -> Finding:
    """Compares how often units of both arms fail (Lindon and Malek, NeurIPS 2022).

    Args:
        limit: The tolerated ratio.
        alpha: The part of this comparison.
    """
    test = ErrorShare.against_at_most().update_many(seen.arms, seen.shares)
    champions, challengers = seen.units
    bad = int(np.count_nonzero(seen.arms))
    rates = _rate(len(seen.arms) - bad, champions), _rate(bad, challengers)
    estimate = (bad + 0.5) / (challengers + 1) / ((len(seen.arms) - bad + 0.5) / (champions + 1))
    below = ErrorShare.against_at_least(limit).update_many(seen.arms, seen.shares)
    rare = BettingTest.against_at_least(limits.negligible, 0.0, 1.0, limits.negligible).update_many(
        seen.firsts.astype(np.float64)
    )
    low, high = _ratio(seen, alpha)
    return Finding(
        guard,
        limit,
        test.crossed(alpha) and estimate > limit,
        below.crossed(limits.alpha) or rare.crossed(limits.alpha),
        test.highest,
        -math.log(alpha),
        *rates,
        low,
        high,
        champions + challengers,
    )


def judge_against_past(guard: str, seen: Events, rate: float, limits: Limits, alpha: float) -> Finding:
    """Compares a version that answers all with an upper bound of the rate before it; a weaker judgment than two arms.

    Args:
        rate: The rate that must not be exceeded.
    """
    values = seen.firsts.astype(np.float64)
    bound = max(rate, limits.negligible)
    worse = BettingTest.against_at_most(bound, 0.0, 1.0, bound).update_many(values)
    kept = BettingTest.against_at_least(bound, 0.0, 1.0, bound).update_many(values)
    mean = float(values.mean()) if len(values) else None
    ratio = 0.0 if mean is None else mean / bound
    broken, is_kept = worse.crossed(alpha), kept.crossed(limits.alpha)
    ends = (1.0, math.inf) if broken else (0.0, 1.0) if is_kept else (0.0, math.inf)
    units = len(values)
    told = (worse.highest, -math.log(alpha), bound if units else None, mean, *ends, units)
    return Finding(guard, bound, broken and ratio > 1, is_kept, *told)


def judge_values(guard: str, seen: Values, limit: float, limits: Limits, alpha: float) -> Finding:
    """Compares the means of a figure (Waudby-Smith and Ramdas, JRSS B 86, 2024).

    Args:
        limit: The tolerated loss.
        alpha: The part of this comparison.
    """
    found = ArmDifference.start(seen.low, seen.high, worse=0.0, not_worse=-limit)
    found = found.update_many(seen.values, seen.arms, seen.shares)
    means = _mean(seen.values[~seen.arms]), _mean(seen.values[seen.arms])
    low, high = found.interval(alpha)
    loss = 0.0 if None in means else means[0] - means[1]  # type: ignore[operator]
    return Finding(
        guard,
        limit,
        found.worse.crossed(alpha) and loss > limit,
        found.not_worse.crossed(limits.alpha),
        found.worse.highest,
        -math.log(alpha),
        *means,
        low,
        high,
        len(seen.values),
    )


def judge_conversions(guard: str, seen: Values, limit: float, limits: Limits, alpha: float) -> Finding:
    """Compares how many units have the positive outcome; the test of failures, the other way round.

    Args:
        seen: A unit with a value above 0 has the outcome.
        limit: The tolerated drop, as a share of the champion's.
        alpha: The part of this comparison.
    """
    has = seen.values > 0
    news, found = int(np.count_nonzero(seen.arms)), Events(seen.arms[has], seen.shares[has], has, (0, 0))
    olds, hits = len(seen.arms) - news, int(np.count_nonzero(found.arms))
    rest = len(found.arms) - hits
    worse = ErrorShare.against_at_least(1.0, FEWER_BY).update_many(found.arms, found.shares)
    kept = ErrorShare.against_at_most(1 - limit, FEWER_BY).update_many(found.arms, found.shares)
    estimate = (hits + 0.5) / (news + 1) / ((rest + 0.5) / (olds + 1))
    return Finding(
        guard,
        limit,
        worse.crossed(alpha) and estimate < 1 - limit,
        kept.crossed(limits.alpha),
        worse.highest,
        -math.log(alpha),
        _rate(rest, olds),
        _rate(hits, news),
        *_ratio(found, alpha),
        len(seen.values),
    )


def judge_slowness(guard: str, seen: Events, limits: Limits, alpha: float) -> Finding:
    """Judges a version that may exceed a fixed time for one unit in twenty.

    Args:
        seen: `firsts` says which units of the new version did.
    """
    return judge_against_past(guard, seen, SLOW_SHARE, limits, alpha)


def judge_pairs(guard: str, old: Floats, new: Floats, span: float, limit: float, limits: Limits) -> Finding:
    """Compares a figure of rows that both versions scored.

    Args:
        old, new: Of champion and shadow, shape (n,); more is better.
        span: The most that the two can differ.
        limit: The tolerated loss.
    """
    gain = new - old
    spread = span * span / 4
    worse = BettingTest.against_at_least(0.0, -span, span, spread).update_many(gain)
    kept = BettingTest.against_at_most(-limit, -span, span, spread).update_many(gain)
    low, high = MeanSequence.start(-span, span, spread).update_many(gain).interval(limits.each)
    loss = -float(gain.mean()) if len(gain) else 0.0
    return Finding(
        guard,
        limit,
        worse.crossed(limits.each) and loss > limit,
        kept.crossed(limits.alpha),
        worse.highest,
        -math.log(limits.each),
        _mean(old),
        _mean(new),
        low,
        high,
        len(gain),
    )


def judge_split(counts: list[tuple[int, int]], shares: list[float]) -> Finding:
    """Whether units are split as planned; `broken` says that nothing else can be trusted.

    Args:
        counts: Units of champion and challenger at first sight, while each share was in force.
        shares: The challenger's.
    """
    test = RatioMismatch.start()
    for count, share in zip(counts, shares, strict=True):
        test = test.update_many(np.array(count), np.array([1 - share, share]))
    seen = sum(test.counts)
    planned, found = (test.expected[1] / seen, test.counts[1] / seen) if seen else (None, None)
    told = (test.highest, -math.log(MISMATCH_ALPHA), planned, found, 0.0, 0.0, seen)
    is_wrong = test.crossed(MISMATCH_ALPHA)
    return Finding("split", 0.0, is_wrong, not is_wrong, *told)


def _rate(bad: int, units: int) -> float | None:
    return bad / units if units else None


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _ratio(seen: Events, alpha: float) -> tuple[float, float]:
    inside = (seen.shares > 0) & (seen.shares < 1)
    shares, place = np.unique(seen.shares[inside], return_inverse=True)
    if len(shares) == 0:
        return 0.0, math.inf
    counts = np.bincount(place, minlength=len(shares))
    hits = np.bincount(place, seen.arms[inside], minlength=len(shares))
    return ratio_interval(hits, counts, shares, alpha)
