"""Control limits of a metric through time, where each window has an uncertainty of its own.

A window of 200 rows scatters more than one of 20 000, so its limits are wider (funnel limits: Spiegelhalter, Stat.
Med. 24, 2005). Real windows scatter more than their rows alone explain, since days differ; that excess, seen in the
base period, is added (Spiegelhalter's additive model, the counterpart of Laney, Quality Engineering 14, 2002). It does
not shrink with the rows of a window, so that a large window of a healthy model does not alarm.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vitok.stats.estimates import Estimate
from vitok.stats.groups import independent_difference
from vitok.stats.intervals import normal_quantile, quantile, tail
from vitok.stats.scores import Floats, Undecidable

LEAST_WINDOWS = 8
LEAST_CYCLES = 2
# Squared differences of neighbours tell a variance as well as two thirds as many free values (von Neumann, Annals of
# Mathematical Statistics 12, 1941).
_NEIGHBOURS = 2 / 3


@dataclass(frozen=True, slots=True)
class ControlLimits:
    """What a healthy window looks like.

    Args:
        center: Mean of the base windows.
        seasons: Difference from it by season; empty without.
        excess: Standard deviation of windows beyond what their rows explain, in units of the metric.
        scatter: Standard deviation of windows as a share of what their rows explain; at most 1, the rest is excess.
        free: Degrees of freedom of both.
        windows: Base windows.
        level: Of the intervals of the base windows.
        center_error: Standard error of the center, with seasons that of one season's.
    """

    center: float
    seasons: Mapping[Hashable, float]
    excess: float
    scatter: float
    free: float
    windows: int
    level: float
    center_error: float

    def around(
        self, window: Estimate, season: Hashable = None, *, false_alarms: float = 0.0027
    ) -> tuple[float, float]:
        """The limits for one window.

        Args:
            window: With an interval of the base windows' level; only its width is used.
            season: Of the window; one that the base period did not have gets the plain center.
            false_alarms: Share of healthy windows that lie outside; by default that of three sigma.
        """
        middle = self.center + self.seasons.get(season, 0.0)
        error, level = _error(window, self.level), 1 - false_alarms
        # What the rows explain is known; how much windows scatter in truth is a guess from few of them.
        explained = quantile(level, math.inf) * math.hypot(error, self.center_error)
        seen = quantile(level, self.free) * math.hypot(error * self.scatter, self.excess, self.center_error)
        return middle - max(explained, seen), middle + max(explained, seen)

    def is_outside(self, window: Estimate, season: Hashable = None, *, false_alarms: float = 0.0027) -> bool:
        """Whether the window lies outside of its limits."""
        low, high = self.around(window, season, false_alarms=false_alarms)
        return not low <= window.value <= high


def fit_control_limits(
    windows: Sequence[Estimate], *, seasons: Sequence[Hashable] | None = None, level: float = 0.90
) -> ControlLimits:
    """Learns limits from the windows of a base period that is known to be good.

    Without seasons the scatter comes from differences of neighbours, so that a slow trend in the base does not widen
    the limits; with seasons from differences within each.

    Args:
        windows: In order of time, all of one metric.
        seasons: Of each window, for example its weekday; used if each season occurs twice at least, else left out.
        level: Of the windows' intervals.

    Raises:
        Undecidable: fewer than 8 windows, or one without a width or not finite.
        ValueError: not one season for each window.
    """
    if len(windows) < LEAST_WINDOWS:
        raise Undecidable(f"{len(windows)} windows are too few for limits, {LEAST_WINDOWS} are needed")
    if seasons is not None and len(seasons) != len(windows):
        raise ValueError(f"{len(windows)} windows, but {len(seasons)} seasons")
    values = np.array([each.value for each in windows])
    variances = np.array([_error(each, level) for each in windows]) ** 2
    if not np.isfinite(values).all() or not np.isfinite(variances).all() or variances.min() <= 0:
        raise Undecidable("a base window is not finite or has no width")
    rows = _by_season(seasons or [])
    center = float(np.average(values, weights=1 / variances))
    profile = {
        season: float(np.average(values[mine], weights=1 / variances[mine])) for season, mine in rows.items()
    }
    if profile and seasons is not None:
        rest = values - np.array([profile[season] for season in seasons])
        free = float(len(values) - len(profile))
        scatter, excess = _scatter(rest**2, variances, free)
    else:
        free = _NEIGHBOURS * (len(values) - 1)
        scatter, excess = _scatter(
            np.diff(values) ** 2 / 2, (variances[1:] + variances[:-1]) / 2, len(values) - 1
        )
    center_error = math.sqrt(max(1, len(profile)) / float(np.sum(1 / (variances + excess**2))))
    apart = {season: mean - center for season, mean in profile.items()}
    return ControlLimits(center, apart, excess, scatter, free, len(values), level, center_error)


def _by_season(seasons: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    """Windows of each season; empty if there is but one season, or one was seen too seldom."""
    rows: dict[Hashable, list[int]] = {}
    for place, season in enumerate(seasons):
        rows.setdefault(season, []).append(place)
    return rows if len(rows) > 1 and min(map(len, rows.values())) >= LEAST_CYCLES else {}


def _scatter(squares: Floats, variances: Floats, expected: float) -> tuple[float, float]:
    """Scatter as a share of what rows explain, at most 1, and the excess (Paule and Mandel, J. Research NBS 87, 1982).

    The excess is what must be added to the variances for the squares to be as large as expected.
    """
    plain = float(np.sum(squares / variances)) / expected
    if plain <= 1:
        return math.sqrt(plain), 0.0
    low, high = 0.0, float(np.sum(squares)) / expected
    for _ in range(60):
        middle = (low + high) / 2
        if float(np.sum(squares / (variances + middle))) > expected:
            low = middle
        else:
            high = middle
    return 1.0, math.sqrt(high)


def compare(
    window: Estimate, other: Estimate | float, *, excess: float = 0.0, level: float = 0.90
) -> Estimate:
    """The window minus another figure: the accepted one, the previous version's, that of the same season.

    Args:
        window: What was measured.
        other: An estimate on other rows, or a number that is taken as given.
        excess: Standard deviation that windows have beyond their own intervals, as `ControlLimits.excess`.
        level: Of the intervals.
    """
    if isinstance(other, Estimate):
        return independent_difference(_widened(window, excess, level), _widened(other, excess, level))
    given = Estimate(float(other), float(other), float(other), 0, "given")
    return independent_difference(_widened(window, excess, level), given)


def _widened(each: Estimate, excess: float, level: float) -> Estimate:
    more = excess * normal_quantile(1 - tail(level))
    low, high = math.hypot(each.value - each.low, more), math.hypot(each.high - each.value, more)
    return Estimate(each.value, each.value - low, each.value + high, each.rows, each.method)


def _error(window: Estimate, level: float) -> float:
    """Standard error that the width of an interval implies."""
    return (window.high - window.low) / (2 * normal_quantile(1 - tail(level)))
