"""Packed profiles: the same profile again, and sums of bytes are profiles of sums."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitok.errors import Fault
from vitok.stats.bins import fit_bins
from vitok.stats.packed import Packed, pack, total, unpack
from vitok.stats.profiles import profile

RNG = np.random.default_rng(0)
REFERENCE = pl.DataFrame(
    {
        "normal": RNG.standard_normal(500),
        "constant": [7.0] * 500,
        "lost": pl.Series([None] * 500, dtype=pl.Float64),
        "huge": RNG.standard_cauchy(500) * 1e200,
        "level": RNG.choice(list("abcdef"), 500),
    }
)
BINS = fit_bins(REFERENCE, ["normal", "constant", "lost", "huge"], ["level"])
VALUES = st.floats(allow_nan=True, allow_infinity=True) | st.none()
ROWS = st.lists(
    st.tuples(VALUES, VALUES, VALUES, VALUES, st.sampled_from(["a", "f", "new", None])), max_size=20
)


def _frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    schema = {name: pl.String if name == "level" else pl.Float64 for name in BINS}
    return pl.DataFrame(rows, schema=schema, orient="row")


@given(ROWS)
def test_a_profile_comes_back_from_its_bytes(rows: list[tuple[object, ...]]) -> None:
    found = profile(_frame(rows), BINS)
    assert unpack(Packed.from_bytes(pack(found, BINS).to_bytes()), BINS) == found


@settings(max_examples=50)
@given(ROWS, ROWS, ROWS)
def test_sums_of_packed_profiles_are_the_profile_of_all_rows(
    one: list[tuple[object, ...]], two: list[tuple[object, ...]], three: list[tuple[object, ...]]
) -> None:
    packed = [pack(profile(_frame(rows), BINS), BINS) for rows in (one, two, three)]
    whole = profile(_frame([*one, *two, *three]), BINS)
    assert unpack(total(packed), BINS) == whole
    assert unpack(packed[2] + packed[0] + packed[1], BINS) == whole


def test_counts_beyond_every_smaller_type_survive() -> None:
    packed = pack(profile(REFERENCE, BINS), BINS)
    for factor in (300, 70_000, 5_000_000_000):
        large = Packed(packed.rows, packed.counts * factor, packed.ends, packed.sums)
        assert (Packed.from_bytes(large.to_bytes()).counts == large.counts).all()


def test_damaged_bytes_and_other_bins_are_told() -> None:
    packed = pack(profile(REFERENCE, BINS), BINS)
    for content in (b"", b"nothing", packed.to_bytes()[:-9]):
        with pytest.raises(Fault, match="cannot be read"):
            Packed.from_bytes(content)
    with pytest.raises(Fault, match="other bins"):
        unpack(packed, {name: BINS[name] for name in ("normal", "level")})
    other = pack(profile(REFERENCE, {"normal": BINS["normal"]}), {"normal": BINS["normal"]})
    with pytest.raises(Fault, match="different bins"):
        total([packed, other])
