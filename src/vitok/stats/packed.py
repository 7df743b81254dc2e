"""Profiles as bytes: small enough that a year of hours is kept, and summed without being unpacked one by one."""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vitok.errors import Fault
from vitok.stats.bins import Bins, CategoryBins, NumericBins
from vitok.stats.distances import Counts
from vitok.stats.profiles import CategoryProfile, Column, NumericProfile, Profile
from vitok.stats.scores import Floats

# Rows, number of counts, number of numeric columns, bytes of one count.
_HEAD = struct.Struct("<QIIB")
_NUMERIC_EXTRA, _CATEGORY_EXTRA = 4, 3  # below, above, missing, finite; other, unseen, missing
_LEVEL = 6


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """A profile whose columns lie one behind another.

    Args:
        rows: Number of rows.
        counts: All counts of all columns, in the order of the bins.
        ends: Shape (k, 2): least and greatest value of the k numeric columns, NaN where there is none.
        sums: Shape (2 k,): whole numbers of any size, the total and the squares of each.
    """

    rows: int
    counts: Counts
    ends: Floats
    sums: tuple[int, ...]

    def __add__(self, other: "Packed") -> "Packed":
        return total((self, other))

    def to_bytes(self) -> bytes:
        """The packed profile as bytes."""
        width = _width(int(self.counts.max(initial=0)))
        counts = self.counts.astype(f"<u{width}").tobytes()
        sums = b"".join(_sum_bytes(each) for each in self.sums)
        head = _HEAD.pack(self.rows, len(self.counts), len(self.ends), width)
        return head + zlib.compress(counts + self.ends.astype("<f8").tobytes() + sums, _LEVEL)

    @staticmethod
    def from_bytes(content: bytes) -> "Packed":
        """Reads it.

        Raises:
            Fault: the bytes are not those of a packed profile.
        """
        try:
            rows, count, numeric, width = _HEAD.unpack_from(content)
            body = zlib.decompress(content[_HEAD.size :])
            places = np.cumsum([0, count * width, numeric * 16])
            counts = np.frombuffer(body, f"<u{width}", count).astype(np.int64)
            ends = np.frombuffer(body, "<f8", numeric * 2, int(places[1])).reshape(numeric, 2)
            return Packed(rows, counts, ends, _sums_from(body[int(places[2]) :]))
        except (struct.error, zlib.error, ValueError, IndexError) as error:
            raise Fault("a stored profile", f"cannot be read: {error}", "Make the profiles anew.") from error


def pack(profile: Profile, bins: Bins) -> Packed:
    """A profile with its columns in the order of its bins."""
    counts: list[Counts] = []
    ends, sums = [], []
    for name in bins:
        column = profile.columns[name]
        if isinstance(column, NumericProfile):
            extra = [column.below, column.above, column.missing, column.finite]
            ends.append([np.nan if each is None else each for each in (column.least, column.greatest)])
            sums += [column.total, column.squares]
        else:
            extra = [column.other, column.unseen, column.missing]
        counts += [column.counts, np.asarray(extra, dtype=np.int64)]
    found = np.asarray(ends, dtype=np.float64).reshape(-1, 2)
    return Packed(
        profile.rows, np.concatenate(counts) if counts else np.zeros(0, np.int64), found, tuple(sums)
    )


def unpack(packed: Packed, bins: Bins) -> Profile:
    """The profile again.

    Args:
        bins: Those that it was packed by.

    Raises:
        Fault: it was packed by others.
    """
    columns: dict[str, Column] = {}
    place = number = 0
    for name, each in bins.items():
        width = _counted(each)
        extra = _NUMERIC_EXTRA if isinstance(each, NumericBins) else _CATEGORY_EXTRA
        counts = packed.counts[place : place + width]
        rest = packed.counts[place + width : place + width + extra].tolist()
        place += width + extra
        if len(rest) < extra:
            break
        if isinstance(each, CategoryBins):
            other, unseen, missing = rest
            columns[name] = CategoryProfile(counts, other, unseen, missing)
            continue
        least, greatest = (None if np.isnan(end) else float(end) for end in packed.ends[number])
        sums, squares = packed.sums[2 * number : 2 * number + 2]
        below, above, missing, finite = rest
        columns[name] = NumericProfile(counts, below, above, missing, finite, least, greatest, sums, squares)
        number += 1
    if place != len(packed.counts) or number != len(packed.ends):
        raise Fault("a stored profile", "was made by other bins", "Make the profiles anew.")
    return Profile(packed.rows, columns)


def total(parts: Iterable[Packed]) -> Packed:
    """The profile of the rows of all parts, which were packed by the same bins.

    Raises:
        Fault: they were packed by different ones.
        ValueError: there is no part.
    """
    found = list(parts)
    if len({(len(each.counts), len(each.ends)) for each in found}) > 1:
        raise Fault("stored profiles", "were made by different bins", "Make the profiles anew.")
    ends = np.stack([each.ends for each in found])
    least, greatest = np.fmin.reduce(ends[:, :, 0]), np.fmax.reduce(ends[:, :, 1])
    return Packed(
        sum(each.rows for each in found),
        np.sum([each.counts for each in found], axis=0),
        np.stack([least, greatest], axis=1),
        tuple(sum(values) for values in zip(*(each.sums for each in found), strict=True)),
    )


def _counted(bins: NumericBins | CategoryBins) -> int:
    """How many counts a column has by these bins."""
    return len(bins.levels) if isinstance(bins, CategoryBins) else max(0, len(bins.edges) - 1)


def _width(greatest: int) -> int:
    """Bytes of the smallest unsigned type that holds a number."""
    return next(width for width in (1, 2, 4, 8) if greatest < 256**width)


def _sum_bytes(value: int) -> bytes:
    size = (value.bit_length() + 8) // 8
    return size.to_bytes(2, "little") + value.to_bytes(size, "little", signed=True)


def _sums_from(content: bytes) -> tuple[int, ...]:
    found, place = [], 0
    while place < len(content):
        size = int.from_bytes(content[place : place + 2], "little")
        found.append(int.from_bytes(content[place + 2 : place + 2 + size], "little", signed=True))
        place += 2 + size
    return tuple(found)
