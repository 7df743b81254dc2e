"""What the shift of one column alone would do to a metric: labelled rows, weighted to look as the window does.

The weights are the ratio of the column's own distributions (Shimodaira, J. Stat. Planning and Inference 90, 2000); what
else moved with it, and any change of what values mean, stays out.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitok.stats.bins import CategoryBins, NumericBins, numbers
from vitok.stats.distances import groups_of_equal_mass
from vitok.stats.estimates import Estimate, estimate
from vitok.stats.intervals import jackknife_error
from vitok.stats.profiles import CategoryProfile, Column, NumericProfile
from vitok.stats.scores import Floats, Scored, Undecidable

_FOLDS = 20
# Each row stands this often before it is reweighted, so that whole copies are as good as weights.
_COPIES = 5
# A window whose values are less alike any of the rows, or that so few rows would stand for, is another world.
_LEAST_COVERED, _LEAST_WORTH = 0.8, 100.0
_GROUPS = 32
Codes = NDArray[np.int64]


def column_effect(
    metric: str,
    scored: Scored,
    values: pl.Series,
    then: Column,
    now: Column,
    bins: NumericBins | CategoryBins,
    *,
    seed: int = 0,
) -> Estimate:
    """A metric on rows as they are in the window by this column, minus that on rows as they were.

    The interval, at the level .90, leaves out one twentieth of the rows after another (delete-a-group jackknife: Kott,
    J. Official Statistics 17, 2001).

    Args:
        scored: Answers on labelled rows of the reference, shape (n,).
        values: Of the column in these rows.
        then, now: Profiles of the column, of the reference and of the window.
        bins: That both count by.
        seed: Of the folds.

    Raises:
        Undecidable: the metric cannot be told, or rows like those of the window are not among these.
    """
    from scipy.special import stdtrit  # slow to import

    codes, present = _row_codes(values, then, bins), _counts(then, now)
    size = len(present)
    here = np.bincount(codes, minlength=size).astype(np.float64)
    covered = float(present[here > 0].sum() / max(1.0, present.sum()))
    if covered < _LEAST_COVERED:
        raise Undecidable(
            f"only {covered:.0%} of the window's values are like any of these {len(codes)} rows"
        )
    ratio = np.divide(present, here, out=np.zeros(size), where=here > 0)
    weights = ratio[codes]
    worth = float(weights.sum() ** 2 / np.dot(weights, weights))
    if worth < _LEAST_WORTH:
        raise Undecidable(
            f"{worth:.0f} rows would stand for all of the window, {_LEAST_WORTH:.0f} are needed"
        )
    folds = np.random.default_rng(seed).permutation(len(codes)) % _FOLDS
    parts = [_difference(metric, scored, weights, folds != each) for each in range(_FOLDS)]
    value = _difference(metric, scored, weights, np.ones(len(codes), dtype=np.bool_))
    half = float(stdtrit(_FOLDS - 1, 0.95)) * jackknife_error(np.array(parts))
    return Estimate(value, value - half, value + half, len(codes), "reweighted by one column")


def _difference(metric: str, scored: Scored, weights: Floats, kept: NDArray[np.bool_]) -> float:
    rows = np.flatnonzero(kept)
    share = np.cumsum(weights[rows])
    if share[-1] <= 0:
        raise Undecidable("no row is like those of the window")
    count = _COPIES * len(rows)
    copies = rows[np.searchsorted(share, (np.arange(count) + 0.5) / count * share[-1])]
    return estimate(metric, scored.take(copies)).value - estimate(metric, scored.take(rows)).value


def _groups(then: NumericProfile) -> Codes:
    return groups_of_equal_mass(then.counts, _GROUPS)


def _row_codes(values: pl.Series, then: Column, bins: NumericBins | CategoryBins) -> Codes:
    """The group of each row: some of equal mass, beyond all, missing; or each level, others, never seen, missing."""
    if isinstance(bins, NumericBins):
        assert isinstance(then, NumericProfile)
        group, column = _groups(then), numbers(values)
        missing = int(group.max(initial=-1)) + 2
        if not len(bins.edges):
            return np.full(len(column), missing, dtype=np.int64)
        place = np.clip(np.searchsorted(bins.edges, column, "right") - 1, 0, len(group) - 1)
        return np.where(np.isnan(column), missing, group[place])
    places = {level: place for place, level in enumerate(bins.levels)}
    others = dict.fromkeys(bins.known, len(places))
    text = values.cast(pl.String)
    beyond = len(places) + (1 if bins.complete else 0)
    found = text.replace_strict({**others, **places}, default=beyond, return_dtype=pl.Int64)
    return found.set(text.is_null(), len(places) + 2).to_numpy()


def _counts(then: Column, now: Column) -> Floats:
    """Rows of the window in each group."""
    if isinstance(now, CategoryProfile):
        return np.array([*now.counts, now.other, now.unseen, now.missing], dtype=np.float64)
    assert isinstance(then, NumericProfile)
    group = _groups(then)
    found = np.bincount(group, now.counts, minlength=int(group.max(initial=-1)) + 1)
    return np.array([*found, now.below + now.above, now.missing], dtype=np.float64)
