"""Bins frozen from a reference: what a profile counts by.

Edges are quantiles, so that an outlier moves nothing; a value that holds many rows gets a bin of its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitok.stats.scores import Floats

NUMERIC_BINS = 64
COUNTED_LEVELS = 100
KNOWN_LEVELS = 10_000
# A sum counts in steps of 2**-16 of the reference's spread: the rounding of a mean is below 1e-5 of it.
STEPS = 16
Counts = NDArray[np.int64]
# Values that are squared together (above 10 000 numbers a dot product starts threads), and the sizes of whole numbers
# up to which a row's sum of squares is exact in floating point (2**13 of 2**40) and a square fits 64 bits.
ROW, _EXACT, _WHOLE = 2**13, 2.0**20, 2.0**31


@dataclass(frozen=True, slots=True)
class NumericBins:
    """Bins of a numeric column.

    Args:
        edges: Rising; bin i holds edges[i] <= x < edges[i+1], the last one also its upper edge (which stands
            twice if it is a bin of its own). The first and the last are the reference's least and greatest
            value. Empty if it has no finite value.
        unit: Power of two: values enter sums as whole multiples of it, so that sums are exact in any order.
        offset: Value that sums are taken from.
    """

    edges: tuple[float, ...]
    unit: float
    offset: float

    def to_json(self) -> dict[str, Any]:
        """The bins as JSON values."""
        return {"kind": "numeric", "edges": list(self.edges), "unit": self.unit, "offset": self.offset}


@dataclass(frozen=True, slots=True)
class CategoryBins:
    """Bins of a categorical column.

    Args:
        levels: The most frequent levels, each counted for itself.
        known: Further levels of the reference, counted together as `other`.
        complete: Whether the two name every level; if not, any further level counts as `other`.
        novelty: Share of rows whose level would be new even without a change: the share of reference rows
            whose level occurs once (Good, Biometrika 40, 1953).
    """

    levels: tuple[str, ...]
    known: tuple[str, ...]
    complete: bool
    novelty: float

    def to_json(self) -> dict[str, Any]:
        """The bins as JSON values."""
        return {
            "kind": "category",
            "levels": list(self.levels),
            "known": list(self.known),
            "complete": self.complete,
            "novelty": self.novelty,
        }


Bins = Mapping[str, NumericBins | CategoryBins]


def bins_from_json(value: Mapping[str, Any]) -> NumericBins | CategoryBins:
    """Reads the bins of one column."""
    if value["kind"] == "numeric":
        return NumericBins(tuple(map(float, value["edges"])), float(value["unit"]), float(value["offset"]))
    return CategoryBins(
        tuple(value["levels"]), tuple(value["known"]), bool(value["complete"]), float(value["novelty"])
    )


def fit_bins(
    frame: pl.DataFrame, numeric: Sequence[str], categorical: Sequence[str], bins: int = NUMERIC_BINS
) -> dict[str, NumericBins | CategoryBins]:
    """Freezes the bins of a reference.

    Args:
        frame: The reference rows.
        numeric: Columns to bin by quantiles.
        categorical: Columns to count by level.
        bins: How many bins of equal mass a numeric column gets, about.
    """
    result: dict[str, NumericBins | CategoryBins] = {}
    for name in numeric:
        values = numbers(frame[name])
        result[name] = _numeric_bins(np.sort(values[np.isfinite(values)]), bins)
    for name in categorical:
        result[name] = _category_bins(frame[name])
    return result


def numbers(column: pl.Series) -> Floats:
    """A column as float64 with NaN for missing; text that is no number is missing."""
    return column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()


def level_counts(column: pl.Series) -> tuple[list[str], list[int], int]:
    """Levels of a column as text, their rows, and the number of missing rows."""
    missing = column.null_count()
    table = column.drop_nulls().value_counts() if missing else column.value_counts()
    levels = table.to_series(0)
    if levels.dtype == pl.Boolean:
        levels = pl.Series(["true" if level else "false" for level in levels.to_list()], dtype=pl.String)
    return levels.cast(pl.String).to_list(), table.to_series(1).to_list(), missing


def occurrences(levels: Sequence[str], hashes: NDArray[np.uint64]) -> Counts:
    """Rows of each level, by the sorted hashes of the rows."""
    wanted = pl.Series(levels, dtype=pl.String).hash().to_numpy()
    return (hashes.searchsorted(wanted, "right") - hashes.searchsorted(wanted)).astype(np.int64)


def exact_sums(
    block: Floats, odd: NDArray[np.bool_] | None, bins: NumericBins, steps: Floats
) -> tuple[int, int]:
    """Exact sums of round((x - offset) / unit) and of its squares.

    A value rounds alike wherever it is counted. Whole numbers below 2**53 are exact in floating point, so that
    most values need none of the slower ways.

    Args:
        block: Shape (k, at most ROW), each row rising.
        odd: Where it is not finite; None if it is so everywhere.
        steps: Room for as many numbers.
    """
    with np.errstate(over="ignore"):
        np.subtract(block, bins.offset, out=steps)
        np.rint(np.multiply(steps, 1 / bins.unit, out=steps), out=steps)
    total = squares = 0
    if odd is not None:
        steps[odd] = 0.0
    if odd is not None or max(-steps[:, 0].min(), steps[:, -1].max()) > _EXACT:
        sizes = np.abs(steps)
        far, huge = (sizes > _EXACT) & (sizes < _WHOLE), sizes >= _WHOLE
        for places, more in (
            (far, _whole_sums(steps[far].astype(np.int64))),
            (huge, _any_sums(steps[huge], block[huge], bins)),
        ):
            total, squares = total + more[0], squares + more[1]
            steps[places] = 0.0
    # Each of these sums of squares is exact; together they may pass what floating point can hold.
    by_row = np.vecdot(steps, steps).astype(np.int64)
    return total + int(steps.sum()), squares + int(by_row.sum())


def _whole_sums(steps: Counts) -> tuple[int, int]:
    """Sums of whole numbers whose squares fit into 64 bits, but perhaps not the sum of these."""
    each = steps * steps
    return int(steps.sum()), (int((each >> 32).sum()) << 32) + int((each & 0xFFFFFFFF).sum())


def _any_sums(steps: Floats, values: Floats, bins: NumericBins) -> tuple[int, int]:
    """Sums of numbers of any size, also where floating point overflows."""
    whole = [
        int(step)
        if math.isfinite(step)
        else round((Fraction(value) - Fraction(bins.offset)) / Fraction(bins.unit))
        for step, value in zip(steps.tolist(), values.tolist(), strict=True)
    ]
    return sum(whole), sum(each * each for each in whole)


def _numeric_bins(ordered: Floats, bins: int) -> NumericBins:
    if len(ordered) == 0:
        return NumericBins((), 1.0, 0.0)
    n = len(ordered)
    cuts = ordered[np.arange(bins) * n // bins]
    edges = np.unique(np.append(cuts, ordered[-1]))
    rows = np.searchsorted(ordered, edges, "right") - np.searchsorted(ordered, edges)
    heavy = edges[rows >= n / bins]
    edges = np.unique(np.concatenate([edges, np.nextafter(heavy[heavy < ordered[-1]], np.inf)]))
    if len(heavy) and heavy[-1] == ordered[-1]:
        edges = np.append(edges, ordered[-1])
    places = np.searchsorted(ordered, edges)
    places[-1] = n
    edges = edges[
        np.append(np.diff(places) > 0, True)
    ]  # a bin without reference rows joins the one before it
    unit, offset = _scale(ordered)
    return NumericBins(tuple(edges.tolist()), unit, offset)


def _scale(ordered: Floats) -> tuple[float, float]:
    """Unit and offset of sums: 2**-16 of the spread, and the median rounded to the unit."""
    low, middle, high = (float(ordered[int(len(ordered) * share)]) for share in (0.25, 0.5, 0.75))
    widest = float(ordered[-1]) / 2 - float(ordered[0]) / 2
    spread = high / 2 - low / 2 or widest or abs(middle) or 1.0
    exponent = min(max(math.frexp(spread)[1] - STEPS, -1000), 900)
    return 2.0**exponent, middle


def _category_bins(column: pl.Series) -> CategoryBins:
    levels, rows, _ = level_counts(column)
    ranked = sorted(zip(levels, rows, strict=True), key=lambda pair: (-pair[1], pair[0]))
    names = [name for name, _ in ranked]
    once = sum(1 for _, count in ranked if count == 1)
    return CategoryBins(
        tuple(names[:COUNTED_LEVELS]),
        tuple(names[COUNTED_LEVELS : COUNTED_LEVELS + KNOWN_LEVELS]),
        len(names) <= COUNTED_LEVELS + KNOWN_LEVELS,
        once / max(1, sum(rows)),
    )
