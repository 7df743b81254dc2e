"""How far a column of some rows is from its reference: the distances of two profiles, with intervals.

Distances by bins differ from zero by chance alone, and by more the fewer rows there are: each distance is freed of
that chance, and its interval says how much chance is left in it.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vitok.stats.distances import (
    Counts,
    chi_square,
    grouped,
    groups_of_equal_mass,
    hellinger,
    js,
    kl,
    ks,
    occupied,
    psi,
    wasserstein,
)
from vitok.stats.profiles import CategoryProfile, Column, NumericProfile

# Ten bins with five rows each, the least at which the chi-square law of PSI is near.
LEAST_ROWS = 50
GROUPS = 10
_LEAST_IN_LEVEL = 5
_REPLICATES = 400
# 90 % points of a Brownian bridge: of its largest distance from zero, and of the area between it and zero.
_BAND, _AREA = 1.2238, 0.4993
# Measures that chance adds to in proportion to 1/n + 1/m; the last two are roots of such.
_DIVERGENCES = {"psi": psi, "kl": kl, "js": js, "hellinger": hellinger}
_ROOTS = frozenset({"js", "hellinger"})


@dataclass(frozen=True, slots=True)
class Shift:
    """The distances of the values of one column, each freed of chance.

    Args:
        bins: Bins that PSI and its kin were taken over.
        rows: Rows with a value, of the reference and of the window.
        psi, js, kl, hellinger: Over about ten bins of equal mass, or over levels.
        ks, wasserstein: Over all bins, the second in ranks of the reference; None for levels, which have no order.
        plain: PSI with its chance part.
        chi_square: Pearson's statistic over the same bins as PSI.
        p_value: Of Pearson's test that nothing moved; it knows nothing of how much.
    """

    bins: int
    rows: tuple[int, int]
    psi: float
    js: float
    kl: float
    hellinger: float
    ks: float | None
    wasserstein: float | None
    plain: float
    chi_square: float
    p_value: float

    @property
    def chance(self) -> float:
        """1/n + 1/m: what distances without a change are proportional to."""
        return 1 / self.rows[0] + 1 / self.rows[1]

    def as_json(self) -> dict[str, Any]:
        """The shift as JSON values."""
        return asdict(self)


def shift_of(then: Column, now: Column) -> Shift | None:
    """Distances of the values that are there; None if either side has fewer than 50."""
    if min(then.rows - then.missing, now.rows - now.missing) < LEAST_ROWS:
        return None
    coarse = coarse_counts(then, now)
    fine = fine_counts(then, now)
    statistic, p_value = chi_square(*coarse)
    return Shift(
        bins=occupied(*coarse),
        rows=(int(coarse[0].sum()), int(coarse[1].sum())),
        psi=psi(*coarse),
        js=js(*coarse),
        kl=kl(*coarse),
        hellinger=hellinger(*coarse),
        ks=None if fine is None else ks(*fine),
        wasserstein=None if fine is None else wasserstein(*fine),
        plain=psi(*coarse, corrected=False),
        chi_square=statistic,
        p_value=p_value,
    )


def shift_intervals(then: Column, now: Column, *, seed: int = 0) -> dict[str, tuple[float, float]]:
    """90 % intervals of each distance; empty if either side has too few values.

    PSI, KL, JS and Hellinger: both sides are drawn anew from their own shares, which adds their chance part a second
    time, and twice that part is taken off. KS and Wasserstein: the band of the two empirical distribution functions.

    Args:
        seed: Of the draws.
    """
    if min(then.rows - then.missing, now.rows - now.missing) < LEAST_ROWS:
        return {}
    coarse, fine = coarse_counts(then, now), fine_counts(then, now)
    used = (coarse[0] + coarse[1]) > 0
    rng = np.random.default_rng(seed)
    draws = [rng.multinomial(each.sum(), each[used] / each.sum(), _REPLICATES) for each in coarse]
    chance = (int(used.sum()) - 1) * sum(1 / int(each.sum()) for each in coarse)
    result = {}
    for name, measure in _DIVERGENCES.items():
        part = chance * {"psi": 1.0, "kl": 0.5, "js": 1 / (8 * math.log(2)), "hellinger": 0.125}[name]
        drawn = np.array([measure(one, two, corrected=False) for one, two in zip(*draws, strict=True)])
        squares = (drawn**2 if name in _ROOTS else drawn) - 2 * part
        low, high = np.maximum(np.quantile(squares, [0.05, 0.95]), 0.0)
        value = measure(*coarse)  # which draws of few values may all miss
        low, high = (low**0.5, high**0.5) if name in _ROOTS else (low, high)
        result[name] = (min(low, value), max(high, value))
    if fine is not None:
        scale = sum(1 / int(each.sum()) for each in fine) ** 0.5
        for name, value, width in (("ks", ks(*fine), _BAND), ("wasserstein", wasserstein(*fine), _AREA)):
            result[name] = (max(0.0, value - width * scale), min(1.0, value + width * scale))
    return {name: (float(low), float(high)) for name, (low, high) in result.items()}


def coarse_counts(then: Column, now: Column) -> tuple[Counts, Counts]:
    """Rows of both sides by about ten groups of equal mass of the reference, or by its levels."""
    if isinstance(then, NumericProfile) and isinstance(now, NumericProfile):
        group = groups_of_equal_mass(then.counts, GROUPS)
        return _ordered(then, grouped(then.counts, group)), _ordered(now, grouped(now.counts, group))
    assert isinstance(then, CategoryProfile)
    assert isinstance(now, CategoryProfile)
    return _levels(then, now)


def fine_counts(then: Column, now: Column) -> tuple[Counts, Counts] | None:
    """Rows of both sides by all ordered bins; None for levels."""
    if isinstance(then, NumericProfile) and isinstance(now, NumericProfile):
        return _ordered(then, then.counts), _ordered(now, now.counts)
    return None


def without(whole: Column, part: Column) -> Column:
    """The counts of a column without those of some of its rows; sums and extremes stay as they are."""
    if isinstance(whole, NumericProfile) and isinstance(part, NumericProfile):
        return NumericProfile(
            whole.counts - part.counts,
            whole.below - part.below,
            whole.above - part.above,
            whole.missing - part.missing,
            whole.finite,
            whole.least,
            whole.greatest,
            whole.total,
            whole.squares,
        )
    assert isinstance(whole, CategoryProfile)
    assert isinstance(part, CategoryProfile)
    return CategoryProfile(
        whole.counts - part.counts,
        whole.other - part.other,
        whole.unseen - part.unseen,
        whole.missing - part.missing,
    )


def _ordered(column: NumericProfile, counts: Counts) -> Counts:
    """Counts with what lies below and above the reference's range as bins of their own."""
    return np.concatenate([[column.below], counts, [column.above]]).astype(np.int64)


def _levels(then: CategoryProfile, now: CategoryProfile) -> tuple[Counts, Counts]:
    """Counts by level; levels too rare for the smaller side are counted with the others and the unseen ones.

    Unseen levels have a test of their own; here they only must not vanish.
    """
    least = _LEAST_IN_LEVEL / min(then.rows - then.missing, now.rows - now.missing)
    common = then.counts >= least * (then.rows - then.missing)
    rest = [int(each.counts[~common].sum()) + each.other + each.unseen for each in (then, now)]
    return np.append(then.counts[common], rest[0]), np.append(now.counts[common], rest[1])
