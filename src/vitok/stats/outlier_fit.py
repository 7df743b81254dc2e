"""Tables of surprise from a reference profile, and the held-out rows that say how much surprise is usual."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from vitok.stats.bins import CategoryBins, NumericBins, numbers
from vitok.stats.outliers import LevelSurprises, NumberSurprises, Outliers
from vitok.stats.profiles import CategoryProfile, Counts, NumericProfile, Reference
from vitok.stats.scores import Floats, Undecidable

LEAST_ROWS = 100
_EXACT = (
    200  # the strangest held-out rows that are kept one by one; further down the gaps grow with the count
)
_GROWTH = 1.05
_EULER = 0.5772156649
_NARROW, _WIDE = (
    1e-300,
    1e300,
)  # a column that hardly has any width: what is beyond is strange, by no measure of distance
Flags = npt.NDArray[np.bool_]


def fit_outliers(reference: Reference, names: Sequence[str], held_out: pl.DataFrame) -> Outliers:
    """Tables of surprise from a reference.

    Args:
        names: The inputs to look at; those that the reference does not have are left out.
        held_out: Rows that say how much surprise is usual; the more they resemble tomorrow's, the better.

    Raises:
        Undecidable: there are fewer than 100 rows, or no input to look at.
    """
    found_numbers, found_levels = [], []
    for name in names:
        bins, column = reference.bins.get(name), reference.profile.columns.get(name)
        if isinstance(bins, NumericBins) and isinstance(column, NumericProfile):
            found_numbers.append(_of_numbers(name, bins, column))
        elif isinstance(bins, CategoryBins) and isinstance(column, CategoryProfile):
            found_levels.append(_of_levels(name, bins, column))
    if held_out.height < LEAST_ROWS or not (found_numbers or found_levels):
        raise Undecidable(
            f"{held_out.height} held-out rows and {len(found_numbers) + len(found_levels)} inputs"
        )
    parts = [each.of(numbers(held_out[each.name])) for each in found_numbers]
    parts += [level_surprises(held_out[each.name], each) for each in found_levels]
    rising = np.sort(np.stack(parts).sum(axis=0))
    kept = _kept(len(rising))
    # Of equal scores the first counts: all of them are at least as strange.
    above = len(rising) - np.searchsorted(rising, rising[kept], "left")
    return Outliers(
        tuple(found_numbers),
        tuple(found_levels),
        tuple(rising[kept].tolist()),
        tuple(above.tolist()),
        len(rising),
    )


def level_surprises(column: pl.Series, table: LevelSurprises) -> Floats:
    """Surprises of a column of levels or truth values, shape (n,): what `LevelSurprises.of` says row by row."""
    texts = column.cast(pl.String)
    known = texts.replace_strict(dict(table.levels), default=table.unseen, return_dtype=pl.Float64)
    return known.zip_with(texts.is_not_null(), pl.Series([table.missing])).to_numpy()


def _kept(count: int) -> list[int]:
    """Places of the scores to keep, rising: dense at the strange end."""
    places, step = set(range(max(0, count - _EXACT), count)), float(_EXACT)
    while step < count:
        places.add(count - 1 - int(step))
        step *= _GROWTH
    return sorted(places | {0})


def _of_numbers(name: str, bins: NumericBins, column: NumericProfile) -> NumberSurprises:
    rows, edges = column.rows, bins.edges
    missing, beyond = _rare(column.missing, rows), math.log(rows + 1)
    if not edges:
        return NumberSurprises(name, (), (), beyond, 0.0, 0.0, missing)
    ends = np.asarray(edges)
    with np.errstate(over="ignore"):  # a width beyond what floats hold is infinite, and its density nothing
        widths = np.diff(ends)
    if not len(widths):
        return NumberSurprises(name, edges, (0.0,), beyond, 0.0, 0.0, missing)
    # A value that holds many rows has a bin of its own, which is as narrow as numbers can be.
    single = widths <= 2 * np.spacing(np.abs(ends[:-1]))
    surprises = _outside(_likelihoods(widths, column.counts, single), column.counts)
    below, above = (_tail(widths, column.counts, single, end) for end in (0, -1))
    return NumberSurprises(name, edges, tuple(surprises.tolist()), beyond, below, above, missing)


def _likelihoods(widths: Floats, counts: Counts, single: Flags) -> Floats:
    """How likely the values of each bin are: by density; single values come before all others, by their rows."""
    density = np.where(single, 0.0, counts / np.where(single, 1.0, np.maximum(widths, _NARROW)))
    most = float(density.max(initial=0.0)) or 1.0
    return np.asarray(np.where(single, 1.0 + counts, density / most), dtype=np.float64)


def _tail(widths: Floats, counts: Counts, single: Flags, end: int) -> float:
    """Surprise for each unit of distance beyond an end, as if the end's bin were an exponential tail.

    The greatest of m exponential values lies at scale x (log m + 0.577) on average.
    """
    width, count = float(widths[end]), int(counts[end])
    if single[end]:
        width, count = math.fsum(min(each, _WIDE) for each in widths.tolist()), int(counts.sum())
    if width <= _NARROW:
        return 0.0
    return (math.log(max(count, 2)) + _EULER) / width


def _of_levels(name: str, bins: CategoryBins, column: CategoryProfile) -> LevelSurprises:
    rows = column.rows
    counts = column.counts.astype(np.float64)
    rest = np.full(len(bins.known), column.other / len(bins.known) if bins.known else 0.0)
    every = np.concatenate([counts, rest])
    surprises = _outside(every, every)
    unseen = -math.log(max(bins.novelty, 1 / (rows + 1)))
    levels = dict(zip((*bins.levels, *bins.known), surprises.tolist(), strict=True))
    return LevelSurprises(name, levels, unseen, _rare(column.missing, rows))


def _outside(likely: Floats, counts: Counts) -> Floats:
    """Minus the logarithm of the share of rows that are no likelier, for each bin or level."""
    order = np.argsort(likely, kind="stable")
    ranked = likely[order]
    total = np.cumsum(np.asarray(counts, dtype=np.float64)[order])
    no_likelier = total[np.searchsorted(ranked, likely, "right") - 1]
    everything = float(total[-1]) if len(total) else 0.0
    return -np.log(np.minimum(1.0, (no_likelier + 1) / (everything + 1)))


def _rare(count: int, rows: int) -> float:
    return -math.log(max(count, 1) / max(rows, 1)) if rows else 0.0
