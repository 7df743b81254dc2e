"""Profiles add up exactly, whatever the order and grouping, and say what the rows say."""

import json
import math
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitok.errors import DataMistake
from vitok.stats.bins import CategoryBins, NumericBins, fit_bins
from vitok.stats.profiles import (
    CategoryProfile,
    NumericProfile,
    Profile,
    Reference,
    empty_profile,
    profile,
    reference_of,
)


def _frame(numbers: list[float | None], levels: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame({"x": pl.Series(numbers, dtype=pl.Float64), "c": pl.Series(levels, dtype=pl.String)})


def _numeric(values: list[float | None], reference: list[float | None]) -> tuple[NumericBins, NumericProfile]:
    bins = fit_bins(_frame(reference, [None] * len(reference)), ["x"], [])
    column = profile(_frame(values, [None] * len(values)), bins).columns["x"]
    assert isinstance(column, NumericProfile)
    assert isinstance(bins["x"], NumericBins)
    return bins["x"], column


any_number = st.one_of(
    st.none(), st.floats(width=64), st.floats(-1e3, 1e3), st.integers(-5, 5).map(float), st.just(7.0)
)
any_level = st.one_of(st.none(), st.sampled_from("abcdefg"), st.text(max_size=3))
rows = st.lists(st.tuples(any_number, any_level), max_size=60)


@settings(max_examples=150)
@given(reference=rows, parts=st.lists(rows, min_size=1, max_size=5), order=st.randoms(use_true_random=False))
def test_merged_parts_equal_the_profile_of_all_rows(reference, parts, order) -> None:  # type: ignore[no-untyped-def]
    bins = fit_bins(
        _frame(*map(list, zip(*reference, strict=True))) if reference else _frame([], []), ["x"], ["c"]
    )
    together = [row for part in parts for row in part]
    order.shuffle(together)
    whole = profile(_frame([x for x, _ in together], [c for _, c in together]), bins)
    profiles = [profile(_frame([x for x, _ in part], [c for _, c in part]), bins) for part in parts]
    order.shuffle(profiles)
    while len(profiles) > 1:
        place = order.randrange(len(profiles) - 1)
        profiles[place : place + 2] = [profiles[place] + profiles[place + 1]]
    assert profiles[0] == whole
    assert profiles[0] + empty_profile(bins) == whole
    assert all(column.rows == len(together) for column in whole.columns.values())
    assert Profile.from_json(json.loads(json.dumps(whole.to_json(), allow_nan=False))) == whole


def test_sums_do_not_depend_on_the_order_of_a_million_rows() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_t(1.5, 1_000_000) * 1e3 + 5
    frame = pl.DataFrame({"x": values})
    bins = fit_bins(frame, ["x"], [])
    whole = profile(frame, bins)
    parts = [profile(frame[start : start + 70_001], bins) for start in range(0, 1_000_000, 70_001)]
    backwards = parts[-1]
    for part in parts[-2::-1]:
        backwards = backwards + part
    assert backwards == whole == profile(frame.reverse(), bins)
    column, each = whole.columns["x"], bins["x"]
    assert isinstance(column, NumericProfile)
    assert isinstance(each, NumericBins)
    assert column.mean(each) == pytest.approx(values.mean(), rel=1e-5)
    assert column.deviation(each) == pytest.approx(values.std(), rel=1e-5)
    assert (column.least, column.greatest) == (values.min(), values.max())


def test_counts_agree_with_counting_by_hand() -> None:
    rng = np.random.default_rng(1)
    reference, values = rng.gamma(2, 3, 5000).tolist(), rng.gamma(2, 4, 3000).tolist()
    bins, column = _numeric([*values, None, math.nan, math.inf, -math.inf, -1.0], reference)
    edges = bins.edges
    assert len(edges) == 65
    for place, count in enumerate(column.counts.tolist()):
        last = place == len(edges) - 2
        assert count == sum(edges[place] <= v < edges[place + 1] or (last and v == edges[-1]) for v in values)
    assert column.below == 2 + sum(v < edges[0] for v in values)
    assert column.above == 1 + sum(v > edges[-1] for v in values)
    assert (column.missing, column.finite) == (2, 3001)


def test_sums_are_exact_for_values_of_any_size() -> None:
    values = [1e-3, 2.5, -4e9, 3e12, 1e300, -1.7e308, 5e-324, 1.7e308]
    bins, column = _numeric(values, [0.0, 1.0, 2.0, 3.0])
    floated = [int(np.rint((v - bins.offset) / bins.unit)) if abs(v) < 1e290 else None for v in values]
    exact = [round((Fraction(v) - Fraction(bins.offset)) / Fraction(bins.unit)) for v in values]
    steps = [a if a is not None else b for a, b in zip(floated, exact, strict=True)]
    assert column.total == sum(_numeric([v], [0.0, 1.0, 2.0, 3.0])[1].total for v in values)
    assert column.squares == sum(_numeric([v], [0.0, 1.0, 2.0, 3.0])[1].squares for v in values)
    assert column.total == pytest.approx(sum(steps), rel=1e-12)
    assert column.deviation(bins) is not None


def test_a_value_with_many_rows_has_a_bin_of_its_own() -> None:
    reference = [0.0] * 600 + [float(value) for value in range(1, 401)]
    bins, column = _numeric(reference, reference)
    assert column.counts[0] == 600
    assert (column.counts > 0).all()
    _, half = _numeric([0.0, 0.5, 1e-9], reference)
    assert half.counts[:2].tolist() == [1, 2]
    assert bins.edges[1] == np.nextafter(0.0, 1.0)


@pytest.mark.parametrize(
    ("reference", "edges", "counts"),
    [
        ([7.0] * 9, (7.0, 7.0), [9]),
        ([0.0, 1.0] * 5, (0.0, 1.0, 1.0), [5, 5]),
        ([None, math.nan, math.inf], (), []),
        ([], (), []),
    ],
)
def test_degenerate_columns_have_bins(
    reference: list[float | None], edges: tuple[float, ...], counts: list[int]
) -> None:
    bins, column = _numeric(reference, reference)
    assert bins.edges == edges
    assert column.counts.tolist() == counts
    assert column.rows == len(reference)


def test_one_outlier_in_the_reference_moves_no_other_edge() -> None:
    values = np.random.default_rng(2).standard_normal(5000).tolist()
    plain, _ = _numeric(values, values)
    spoilt, _ = _numeric(values, [*values, 1e6])
    assert max(abs(a - b) for a, b in zip(plain.edges[:-1], spoilt.edges[:-1], strict=True)) < 0.1
    assert spoilt.unit == plain.unit


def test_levels_are_counted_as_known_other_and_unseen() -> None:
    reference = [f"v{place}" for place in range(150) for _ in range(200 - place)]
    bins = fit_bins(pl.DataFrame({"c": reference}), [], ["c"])
    each = bins["c"]
    assert isinstance(each, CategoryBins)
    assert each.levels == tuple(f"v{place}" for place in range(100))
    column = profile(pl.DataFrame({"c": ["v0", "v120", "v149", "new", None, ""]}), bins).columns["c"]
    assert isinstance(column, CategoryProfile)
    assert (int(column.counts[0]), column.other, column.unseen, column.missing) == (1, 2, 2, 1)


def test_beyond_ten_thousand_levels_new_ones_count_as_other() -> None:
    frame = pl.DataFrame({"c": [f"id{place}" for place in range(10_200)]})
    bins = fit_bins(frame, [], ["c"])
    column = profile(pl.DataFrame({"c": ["brand new"]}), bins).columns["c"]
    assert isinstance(column, CategoryProfile)
    assert (column.other, column.unseen) == (1, 0)
    assert isinstance(bins["c"], CategoryBins)
    assert bins["c"].novelty == 1.0


def test_booleans_and_codes_are_levels_and_text_that_is_no_number_is_missing() -> None:
    frame = pl.DataFrame({"flag": [True, False, None], "code": [3, 3, 4], "x": ["1.5", "two", None]})
    bins = fit_bins(frame, ["x"], ["flag", "code"])
    found = profile(frame, bins)
    flag, code, x = bins["flag"], bins["code"], found.columns["x"]
    assert isinstance(flag, CategoryBins)
    assert isinstance(code, CategoryBins)
    assert flag.levels == ("false", "true")
    assert code.levels == ("3", "4")
    assert x.missing == 2


def test_a_column_that_a_window_lacks_is_missing_in_every_row() -> None:
    bins = fit_bins(_frame([1.0, 2.0], ["a", "b"]), ["x"], ["c"])
    found = profile(pl.DataFrame({"other": [1, 2, 3]}), bins)
    assert [column.missing for column in found.columns.values()] == [3, 3]


def test_float32_and_float64_of_the_same_values_give_the_same_profile() -> None:
    values = np.random.default_rng(3).standard_normal(2000).astype(np.float32)
    bins = fit_bins(pl.DataFrame({"x": values}), ["x"], [])
    assert profile(pl.DataFrame({"x": values}), bins) == profile(
        pl.DataFrame({"x": values.astype(np.float64)}), bins
    )


def test_profiles_of_other_bins_do_not_add_up() -> None:
    one = fit_bins(_frame([1.0, 2.0], ["a", "b"]), ["x"], ["c"])
    two = fit_bins(_frame([1.0, 2.0, 3.0], ["a", "b", "c"]), ["x"], ["c"])
    with pytest.raises(DataMistake, match="different bins"):
        profile(_frame([1.0], ["a"]), one) + profile(_frame([1.0], ["a"]), two)


def test_a_reference_survives_json() -> None:
    frame = _frame([1.0, None, 1e300, -2.0] * 20, ["a", "b", None, "é"] * 20)
    reference = reference_of(frame, fit_bins(frame, ["x"], ["c"]))
    again = Reference.from_json(json.loads(json.dumps(reference.to_json(), allow_nan=False)))
    assert again.profile == reference.profile
    assert again.bins == reference.bins
    assert profile(frame, again.bins) == reference.profile
    both = reference.beside(Reference({}, Profile(5, {})))
    assert both.profile == reference.profile
