"""Profiles by other bins: what one version counted, as another version would have counted it, as near as counts tell.

Within a bin rows are taken to lie evenly, so that the cumulative share of a number is piecewise linear. Levels go by
their names. No row is lost, and where the bins are the same nothing changes.
"""

import math
from fractions import Fraction

import numpy as np

from vitok.stats.bins import Bins, CategoryBins, NumericBins
from vitok.stats.distances import Counts
from vitok.stats.profiles import CategoryProfile, Column, NumericProfile, Profile
from vitok.stats.scores import Floats

_QUARTER = 0.25  # differences of the largest numbers do not overflow once they are quartered; that is exact


def rebinned_profile(profile: Profile, source: Bins, target: Bins) -> Profile:
    """A profile by other bins; columns that only one side has, or that changed their kind, are left out.

    Args:
        profile: Counted by `source`.
        target: What it is to be compared with.
    """
    pairs = ((name, source[name], target[name]) for name in target if name in source)
    found = {
        name: rebinned(profile.columns[name], one, two)
        for name, one, two in pairs
        if isinstance(one, NumericBins) == isinstance(two, NumericBins) and name in profile.columns
    }
    return Profile(profile.rows, found)


def rebinned(
    column: Column, source: NumericBins | CategoryBins, target: NumericBins | CategoryBins
) -> Column:
    """A column by other bins of the same kind.

    Raises:
        ValueError: one is of numbers and the other of levels.
    """
    if source == target:
        return column
    if isinstance(column, NumericProfile):
        if isinstance(source, NumericBins) and isinstance(target, NumericBins):
            return _numeric(column, source, target)
    elif isinstance(source, CategoryBins) and isinstance(target, CategoryBins):
        return _category(column, source, target)
    raise ValueError("numbers and levels cannot be counted by the same bins")


def _numeric(column: NumericProfile, source: NumericBins, target: NumericBins) -> NumericProfile:
    values = column.rows - column.missing
    if len(target.edges) < 2:  # a reference without values: all lies above
        return _moved(column, source, target, np.zeros(0, dtype=np.int64), 0, values)
    below = _cumulative(column, source, _starts(target.edges))
    counts = np.diff(below)
    return _moved(column, source, target, counts, int(below[0]), values - int(below[-1]))


def _starts(edges: tuple[float, ...]) -> Floats:
    """Where bins begin, and the first number behind the last one, which holds its upper edge."""
    return np.append(edges[:-1], _behind(edges[-1]))


def _behind(number: float) -> float:
    """The next number; behind the greatest there is infinity."""
    with np.errstate(over="ignore"):
        return float(np.nextafter(number, np.inf))


def _cumulative(column: NumericProfile, bins: NumericBins, points: Floats) -> Counts:
    """Rows below each point, in whole rows.

    What lies outside of the bins reaches to the least and the greatest value; infinite values lie beyond.
    """
    values = column.rows - column.missing
    places, rows = [], []
    if len(bins.edges) >= 2:
        places = _starts(bins.edges).tolist()
        rows = [column.below, *(column.below + np.cumsum(column.counts)).tolist()]
    least, greatest = column.least, column.greatest
    if least is not None and greatest is not None:
        if not places or least < places[0]:
            places, rows = [least, *places], [0, *rows]
        end = _behind(greatest)
        if end > places[-1]:
            places, rows = [*places, end], [*rows, values]
    if not places:  # nothing but infinite values
        return np.full(len(points), column.below, dtype=np.int64)
    known, counts = np.asarray(places), np.asarray(rows, dtype=np.float64)
    with np.errstate(all="ignore"):
        found = np.interp(points * _QUARTER, known * _QUARTER, counts)
    near = np.minimum(known.searchsorted(points), len(known) - 1)
    exact = known[near] == points  # also where a quarter of the smallest numbers is zero
    whole = np.rint(np.nan_to_num(np.where(exact, counts[near], found))).astype(np.int64)
    return np.clip(np.maximum.accumulate(whole), 0, values)


def _moved(
    column: NumericProfile, source: NumericBins, target: NumericBins, counts: Counts, below: int, above: int
) -> NumericProfile:
    """The column with new counts; its sums in the new unit, from the new offset."""
    old, new = Fraction(source.unit), Fraction(target.unit)
    apart = Fraction(source.offset) - Fraction(target.offset)
    total = round((column.total * old + column.finite * apart) / new)
    exact = column.squares * old**2 + 2 * old * apart * column.total + column.finite * apart**2
    least = math.ceil(Fraction(total**2, column.finite)) if column.finite else 0  # no variance below zero
    return NumericProfile(
        counts=counts,
        below=below,
        above=above,
        missing=column.missing,
        finite=column.finite,
        least=column.least,
        greatest=column.greatest,
        total=total,
        squares=max(round(exact / new**2), least),
    )


def _category(column: CategoryProfile, source: CategoryBins, target: CategoryBins) -> CategoryProfile:
    """Levels go by name; those that neither side counts for themselves stay with the others."""
    place = {level: index for index, level in enumerate(target.levels)}
    known = set(target.known)
    counts = np.zeros(len(target.levels), dtype=np.int64)
    other = unseen = 0
    for level, rows in zip(source.levels, column.counts.tolist(), strict=True):
        if level in place:
            counts[place[level]] += rows
        elif level in known or not target.complete:
            other += rows
        else:
            unseen += rows
    if target.complete:
        return CategoryProfile(counts, other + column.other, unseen + column.unseen, column.missing)
    return CategoryProfile(counts, other + column.other + column.unseen, 0, column.missing)
