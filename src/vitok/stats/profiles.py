"""Profiles: small summaries of columns that add up, in any order and grouping, to exactly the same result.

A profile counts rows by the bins of a reference and keeps exact sums, so that rows are read once and every
distance, mean and chart comes from profiles: of windows, workers, machines, or devices that keep their data.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitok.errors import DataMistake
from vitok.stats.bins import (
    ROW,
    Bins,
    CategoryBins,
    NumericBins,
    bins_from_json,
    exact_sums,
    level_counts,
    numbers,
    occurrences,
)
from vitok.stats.scores import Floats

Counts = NDArray[np.int64]
_BLOCK = 2**17  # values that are sorted before the next ones are read: they stay in the cache
_LARGEST = float(np.finfo(np.float64).max)
_MANY = 2**13  # rows from which on hashing levels is faster than counting them one by one


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
    """Sorts row by row of a block and finds the edges in the sorted values.

    That is faster than finding each value among the edges, and blocks stay in the cache.
    """
    values = numbers(column.drop_nulls())
    # What is at most a number is below the next one: the last edge, and -inf.
    beyond = [math.nextafter(edge, math.inf) for edge in bins.edges[-1:]]
    keys = np.asarray([-_LARGEST, *bins.edges, *beyond, math.inf])
    below, buffer = np.zeros(len(keys), dtype=np.int64), np.empty((2, min(len(values), _BLOCK)))
    total, squares, least, greatest, known = 0, 0, math.inf, -math.inf, len(values)
    for part in _blocks(values):
        block, steps = (each[: part.size].reshape(part.shape) for each in buffer)
        block[:] = part
        block.sort(axis=1)  # NaN comes last
        for row in block:
            below += row.searchsorted(keys)
        low, high, odd = float(block[:, 0].min()), float(block[:, -1].max()), None
        if not (math.isfinite(low) and math.isfinite(high)):
            known -= int(np.isnan(block).sum())
            odd = ~np.isfinite(block)
            low = float(block.min(initial=np.inf, where=~odd))
            high = float(block.max(initial=-np.inf, where=~odd))
        least, greatest = min(least, low), max(greatest, high)
        more = exact_sums(block, odd, bins, steps)
        total, squares = total + more[0], squares + more[1]
    places = np.append(below[1:-3], below[-2]) if bins.edges else below[:1]
    return NumericProfile(
        counts=np.diff(places).astype(np.int64),
        below=int(places[0]),
        above=known - int(places[-1]),
        missing=len(column) - known,
        finite=int(below[-1] - below[0]),
        least=least if least <= greatest else None,
        greatest=greatest if least <= greatest else None,
        total=total,
        squares=squares,
    )


def _blocks(values: Floats) -> Iterator[Floats]:
    """Values by blocks of rows, shape (k, ROW); those that fill no row come as a shorter one."""
    for start in range(0, len(values), _BLOCK):
        part = values[start : start + _BLOCK]
        whole = len(part) // ROW * ROW
        if whole:
            yield part[:whole].reshape(-1, ROW)
        if whole < len(part):
            yield part[whole:].reshape(1, -1)


def _category(column: pl.Series, bins: CategoryBins) -> CategoryProfile:
    if column.dtype == pl.String and len(column) >= _MANY:
        return _hashed(column.drop_nulls(), column.null_count(), bins)
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


def _hashed(values: pl.Series, missing: int, bins: CategoryBins) -> CategoryProfile:
    """Counts by sorted hashes, several times faster than a table of levels.

    Two levels have the same hash of 64 bits once in 10**19; even 10 000 levels beside as many new ones hold
    no such pair in all but one of 10**11 columns.
    """
    hashes = np.sort(values.hash().to_numpy())
    counts = occurrences(bins.levels, hashes)
    rest = len(hashes) - int(counts.sum())
    if not rest or not bins.complete:
        return CategoryProfile(counts, rest, 0, missing)
    other = int(occurrences(bins.known, hashes).sum())
    return CategoryProfile(counts, other, rest - other, missing)


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
