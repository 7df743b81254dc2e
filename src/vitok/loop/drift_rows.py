"""A column's distribution in a dozen rows that a picture can show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitok.stats.bins import CategoryBins, NumericBins
from vitok.stats.distances import Counts, grouped, groups_of_equal_mass
from vitok.stats.profiles import CategoryProfile, Column, NumericProfile
from vitok.stats.scores import Floats

_LEVELS = 9
BELOW, ABOVE, MISSING, OTHERS, UNSEEN = "below", "above", "missing", "others", "never seen"


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """How counts become rows.

    Args:
        labels: Of the rows, from the top: the greatest numbers first, the most frequent levels first; missing last.
        group: Shape (counts,): the row of each count.
    """

    labels: list[str]
    group: NDArray[np.int64]


def feature_rows(then: Column, now: Column, bins: NumericBins | CategoryBins) -> Rows:
    """About ten rows of equal mass in the reference, or the levels that are frequent then or now."""
    if isinstance(bins, NumericBins):
        assert isinstance(then, NumericProfile)
        group = groups_of_equal_mass(then.counts)
        return Rows([ABOVE, *reversed(_ranges(bins, group)), BELOW, MISSING], group)
    assert isinstance(then, CategoryProfile)
    assert isinstance(now, CategoryProfile)
    shares = [each.counts / max(1, each.rows) for each in (then, now)]
    order = np.argsort(-np.maximum(*shares), kind="stable")[:_LEVELS]
    order = order[np.argsort(-shares[0][order], kind="stable")]
    group = np.full(len(bins.levels), len(order), dtype=np.int64)
    group[order] = np.arange(len(order))
    return Rows([*(_level(bins.levels[place]) for place in order), OTHERS, UNSEEN, MISSING], group)


def shares_of(column: Column, rows: Rows) -> list[float]:
    """Share of all rows, the missing ones among them, in each row of a picture."""
    if isinstance(column, NumericProfile):
        found: Sequence[int] | Counts = [
            column.above,
            *reversed(grouped(column.counts, rows.group).tolist()),
            column.below,
            column.missing,
        ]
    else:
        by_row = np.bincount(rows.group, column.counts, minlength=len(rows.labels) - 2).tolist()
        found = [*by_row[:-1], by_row[-1] + column.other, column.unseen, column.missing]
    shares: Floats = np.asarray(found, dtype=np.float64) / max(1, column.rows)
    return [round(float(each), 5) for each in shares]


def _ranges(bins: NumericBins, group: NDArray[np.int64]) -> list[str]:
    labels = []
    for number in range(int(group.max(initial=-1)) + 1):
        inside = np.flatnonzero(group == number)
        low, high = f"{bins.edges[inside[0]]:.4g}", f"{bins.edges[inside[-1] + 1]:.4g}"
        labels.append(low if low == high else f"{low} to {high}")
    return labels


def _level(level: str) -> str:
    """A level as a label, never that of a row that is no level."""
    return f"'{level}'" if level in (OTHERS, UNSEEN, MISSING) else level
