"""Profiles: small summaries of columns that add up, in any order and grouping, to exactly the same result.

A profile counts rows by the bins of a reference and keeps exact sums, so that rows are read once and every
distance, mean and chart comes from profiles: of windows, workers, machines, or devices that keep their data.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitok.errors import DataMistake
from vitok.stats.bins import Bins, CategoryBins, NumericBins, bins_from_json, level_counts, numbers
from vitok.stats.scores import Floats

Counts = NDArray[np.int64]
# Rows of a block (above 10 000 numbers a dot product starts threads), and the sizes of whole numbers up to
# which a block's sum of squares is exact in floating point (2**13 of 2**40) and a square fits 64 bits.
_BLOCK, _EXACT, _WHOLE = 2**13, 2.0**20, 2.0**31


@dataclass(frozen=True, slots=True, eq=False)
class NumericProfile:
    """A numeric column of some rows.

    Args:
        counts: Shape (b,): rows by bin.
        below: Rows below the first edge, -inf among them.
        above: Rows above the last edge, +inf among them.
        missing: Rows without a value, NaN among them.
        finite: Rows that enter the sums.
        least: Least finite value, if there is one.
        greatest: Greatest finite value, if there is one.
        total: Sum of round((x - offset) / unit).
        squares: Sum of its squares.
    """

    counts: Counts
    below: int
    above: int
    missing: int
    finite: int
    least: float | None
    greatest: float | None
    total: int
    squares: int

    @property
    def rows(self) -> int:
        """All rows, the missing ones among them."""
        return int(self.counts.sum()) + self.below + self.above + self.missing

    def __add__(self, other: "NumericProfile") -> "NumericProfile":
        return NumericProfile(
            self.counts + other.counts,
            self.below + other.below,
            self.above + other.above,
            self.missing + other.missing,
            self.finite + other.finite,
            _extreme(min, self.least, other.least),
            _extreme(max, self.greatest, other.greatest),
            self.total + other.total,
            self.squares + other.squares,
        )

    def mean(self, bins: NumericBins) -> float | None:
        """Mean of the finite values; None without one."""
        if not self.finite:
            return None
        return bins.offset + float(Fraction(self.total, self.finite) * Fraction(bins.unit))

    def deviation(self, bins: NumericBins) -> float | None:
        """Standard deviation of the finite values (divisor n); None without one."""
        if not self.finite:
            return None
        variance = Fraction(self.squares, self.finite) - Fraction(self.total, self.finite) ** 2
        root = Fraction(math.isqrt(int(variance * 2**80)), 2**40)  # whole numbers cannot overflow
        return float(root * Fraction(bins.unit))

    def to_json(self) -> dict[str, Any]:
        """The profile as JSON values; sums are text, since they may pass 64 bits."""
        return {
            "counts": self.counts.tolist(),
            "below": self.below,
            "above": self.above,
            "missing": self.missing,
            "finite": self.finite,
            "least": self.least,
            "greatest": self.greatest,
            "total": str(self.total),
            "squares": str(self.squares),
        }


@dataclass(frozen=True, slots=True, eq=False)
class CategoryProfile:
    """A categorical column of some rows.

    Args:
        counts: Shape (levels,): rows by counted level.
        other: Rows of further levels that the reference has.
        unseen: Rows of levels that the reference does not have.
        missing: Rows without a value.
    """

    counts: Counts
    other: int
    unseen: int
    missing: int

    @property
    def rows(self) -> int:
        """All rows, the missing ones among them."""
        return int(self.counts.sum()) + self.other + self.unseen + self.missing

    def __add__(self, other: "CategoryProfile") -> "CategoryProfile":
        return CategoryProfile(
            self.counts + other.counts,
            self.other + other.other,
            self.unseen + other.unseen,
            self.missing + other.missing,
        )

    def to_json(self) -> dict[str, Any]:
        """The profile as JSON values."""
        return {
            "counts": self.counts.tolist(),
            "other": self.other,
            "unseen": self.unseen,
            "missing": self.missing,
        }


Column = NumericProfile | CategoryProfile


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The columns of some rows. `a + b` is the profile of the rows of both.

    Args:
        rows: Number of rows.
        columns: By name.
    """

    rows: int
    columns: Mapping[str, Column]

    def merge(self, other: "Profile") -> "Profile":
        """The profile of the rows of both.

        Raises:
            DataMistake: the two are of different columns or bins.
        """
        names = {**self.columns, **other.columns}
        merged = {name: _merged(name, self.columns.get(name), other.columns.get(name)) for name in names}
        return Profile(self.rows + other.rows, merged)

    def __add__(self, other: "Profile") -> "Profile":
        return self.merge(other)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Profile) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def to_json(self) -> dict[str, Any]:
        """The profile as JSON values, without its bins."""
        return {
            "rows": self.rows,
            "columns": {name: column.to_json() for name, column in self.columns.items()},
        }

    def beside(self, other: "Profile") -> "Profile":
        """The columns of both, side by side, for example inputs and scores; `rows` are those of this one."""
        return Profile(self.rows, {**self.columns, **other.columns})

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Profile":
        """Reads a profile."""
        return Profile(
            int(value["rows"]), {name: _column_from_json(each) for name, each in value["columns"].items()}
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """What later windows are compared with: the bins and the profile that was made by them."""

    bins: Bins
    profile: Profile

    def to_json(self) -> dict[str, Any]:
        """The reference as JSON values: the content of a bundle's `reference.json`."""
        return {
            "bins": {name: each.to_json() for name, each in self.bins.items()},
            "profile": self.profile.to_json(),
        }

    def beside(self, other: "Reference") -> "Reference":
        """The columns of both, side by side, for example of inputs and of scores."""
        return Reference({**self.bins, **other.bins}, self.profile.beside(other.profile))

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Reference":
        """Reads a reference."""
        bins = {name: bins_from_json(each) for name, each in value["bins"].items()}
        return Reference(bins, Profile.from_json(value["profile"]))


def reference_of(frame: pl.DataFrame, bins: Bins) -> Reference:
    """The reference that a frame makes by these bins."""
    return Reference(dict(bins), profile(frame, bins))


def profile(frame: pl.DataFrame, bins: Bins) -> Profile:
    """The profile of a frame.

    Args:
        frame: Rows; further columns are left out, and a column that it lacks is missing in every row.
        bins: Bins of each column, from `fit_bins`.
    """
    columns: dict[str, Column] = {}
    for name, each in bins.items():
        column = (
            frame[name] if name in frame.columns else pl.Series(name, [None] * frame.height, dtype=pl.String)
        )
        columns[name] = _numeric(column, each) if isinstance(each, NumericBins) else _category(column, each)
    return Profile(frame.height, columns)


def empty_profile(bins: Bins) -> Profile:
    """The profile of no rows: the neutral element of merging."""
    return profile(pl.DataFrame(), bins)


def _numeric(column: pl.Series, bins: NumericBins) -> NumericProfile:
    """Sorts block by block and finds the edges in the sorted values.

    That is faster than finding each value among the edges, and blocks stay in the cache.
    """
    values, buffer = numbers(column), np.empty(_BLOCK)
    edges, ends = np.asarray([*bins.edges, np.inf]), np.asarray([-np.inf, *bins.edges[-1:], np.inf])
    below, until = np.zeros(len(edges), dtype=np.int64), np.zeros(len(ends), dtype=np.int64)
    total, squares, least, greatest = 0, 0, math.inf, -math.inf
    for start in range(0, len(values), _BLOCK):
        block = buffer[: min(_BLOCK, len(values) - start)]
        block[:] = values[start : start + _BLOCK]
        block.sort()  # NaN comes last
        left, right = np.searchsorted(block, edges), np.searchsorted(block, ends, "right")
        below += left
        until += right
        finite = block[right[0] : left[-1]]
        if len(finite):
            more = _sums(finite, bins)
            total, squares = total + more[0], squares + more[1]
            least, greatest = min(least, float(finite[0])), max(greatest, float(finite[-1]))
    known = int(until[-1])
    places = np.append(below[:-2], until[1]) if bins.edges else until[:1]
    return NumericProfile(
        counts=np.diff(places).astype(np.int64),
        below=int(places[0]),
        above=known - int(places[-1]),
        missing=len(values) - known,
        finite=int(below[-1] - until[0]),
        least=least if least <= greatest else None,
        greatest=greatest if least <= greatest else None,
        total=total,
        squares=squares,
    )


def _sums(ordered: Floats, bins: NumericBins) -> tuple[int, int]:
    """Exact sums of round((x - offset) / unit) and its squares over a sorted block.

    A row rounds alike wherever it is counted. Whole numbers below 2**53 are exact in floating point, so that
    most rows need none of the slower ways.
    """
    with np.errstate(over="ignore"):
        steps = ordered - bins.offset
        np.rint(np.multiply(steps, 1 / bins.unit, out=steps), out=steps)
    low, high = 0, len(steps)
    if -steps[0] > _EXACT or steps[-1] > _EXACT:
        low, high = (int(place) for place in np.searchsorted(steps, [-_EXACT, _EXACT]))
    near = steps[low:high]
    total, squares = int(near.sum()), int(np.dot(near, near))
    for part in (slice(0, low), slice(high, len(steps))):
        if part.start < part.stop:
            far = steps[part]
            some = max(-far[0], far[-1]) < _WHOLE
            more = _whole_sums(far.astype(np.int64)) if some else _any_sums(far, ordered[part], bins)
            total, squares = total + more[0], squares + more[1]
    return total, squares


def _whole_sums(steps: Counts) -> tuple[int, int]:
    """Sums of whole numbers whose squares fit into 64 bits, but perhaps not the sum of these."""
    each = steps * steps
    return int(steps.sum()), (int((each >> 32).sum()) << 32) + int((each & 0xFFFFFFFF).sum())


def _any_sums(steps: Floats, block: Floats, bins: NumericBins) -> tuple[int, int]:
    """Sums of numbers of any size, also where floating point overflows."""
    whole = [
        int(step)
        if math.isfinite(step)
        else round((Fraction(value) - Fraction(bins.offset)) / Fraction(bins.unit))
        for step, value in zip(steps.tolist(), block.tolist(), strict=True)
    ]
    return sum(whole), sum(each * each for each in whole)


def _category(column: pl.Series, bins: CategoryBins) -> CategoryProfile:
    levels, rows, missing = level_counts(column)
    place = {level: index for index, level in enumerate(bins.levels)}
    counts, rest = np.zeros(len(bins.levels), dtype=np.int64), []
    for level, count in zip(levels, rows, strict=True):
        index = place.get(level)
        if index is None:
            rest.append((level, count))
        else:
            counts[index] = count
    known = set(bins.known) if rest and bins.complete else set()
    other = sum(count for level, count in rest if not bins.complete or level in known)
    return CategoryProfile(counts, other, sum(count for _, count in rest) - other, missing)


def _extreme(choose: Any, one: float | None, two: float | None) -> float | None:
    values = [value for value in (one, two) if value is not None]
    return choose(values) if values else None


def _merged(name: str, one: Column | None, two: Column | None) -> Column:
    if (
        isinstance(one, NumericProfile)
        and isinstance(two, NumericProfile)
        and len(one.counts) == len(two.counts)
    ):
        return one + two
    if (
        isinstance(one, CategoryProfile)
        and isinstance(two, CategoryProfile)
        and len(one.counts) == len(two.counts)
    ):
        return one + two
    raise DataMistake(
        f"column {name}",
        "the profiles were made by different bins",
        "Profile both by the bins of one reference.",
    )


def _column_from_json(value: Mapping[str, Any]) -> Column:
    counts = np.asarray(value["counts"], dtype=np.int64)
    if "other" in value:
        return CategoryProfile(counts, int(value["other"]), int(value["unseen"]), int(value["missing"]))
    return NumericProfile(
        counts,
        int(value["below"]),
        int(value["above"]),
        int(value["missing"]),
        int(value["finite"]),
        value["least"],
        value["greatest"],
        int(value["total"]),
        int(value["squares"]),
    )
