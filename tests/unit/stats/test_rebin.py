"""Counting by other bins: no row is lost, the same bins change nothing, and what is known stays exact."""

import math
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vitok.stats.bins import CategoryBins, fit_bins
from vitok.stats.distances import ks
from vitok.stats.profiles import profile
from vitok.stats.rebin import rebinned, rebinned_profile

NUMBERS = st.lists(st.one_of(st.floats(), st.none(), st.integers(-3, 3).map(float)), max_size=60)
LEVELS = st.lists(st.one_of(st.sampled_from("abcdefgh"), st.none()), max_size=60)


def number_bins(values, bins=8):
    return fit_bins(pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)}), ["x"], [], bins=bins)


def level_bins(values):
    return fit_bins(pl.DataFrame({"x": pl.Series(values, dtype=pl.String)}), [], ["x"])


@given(NUMBERS, NUMBERS, NUMBERS)
@example([sys.float_info.max], [], [0.0])
@example([], [], [sys.float_info.max])
@example([sys.float_info.max, 1.0], [sys.float_info.max], [1.0, sys.float_info.max])
def test_no_row_of_numbers_is_lost_and_the_same_bins_change_nothing(values, one, two):
    source, target = number_bins(one), number_bins(two)
    found = profile(pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)}), source)
    moved = rebinned_profile(found, source, target)
    before, after = found.columns["x"], moved.columns["x"]
    assert (after.rows, after.missing, after.finite) == (before.rows, before.missing, before.finite)
    assert (after.counts >= 0).all()
    assert min(after.below, after.above) >= 0
    assert len(after.counts) == max(0, len(target["x"].edges) - 1)
    assert rebinned_profile(found, source, source) == found
    if after.finite:
        assert after.deviation(target["x"]) >= 0


@given(LEVELS, LEVELS, LEVELS, st.booleans())
def test_no_row_of_levels_is_lost_and_counted_levels_stay_exact(values, one, two, complete):
    source, fitted = level_bins(one), level_bins(two)["x"]
    target = CategoryBins(fitted.levels[:3], fitted.levels[3:], complete, fitted.novelty)
    frame = pl.DataFrame({"x": pl.Series(values, dtype=pl.String)})
    before = profile(frame, source).columns["x"]
    after, direct = rebinned(before, source["x"], target), profile(frame, {"x": target}).columns["x"]
    assert after.rows == before.rows
    assert after.missing == before.missing
    for place, level in enumerate(target.levels):
        if level in source["x"].levels:
            assert after.counts[place] == direct.counts[place]


@given(st.lists(st.floats(-1e3, 1e3), min_size=20, max_size=80), st.integers(0, 5))
def test_bins_that_are_joined_are_exact(values, seed):
    fine = number_bins(values)["x"]
    coarse = type(fine)((fine.edges[0], *fine.edges[2:-1:2], fine.edges[-1]), fine.unit, fine.offset)
    rows = np.random.default_rng(seed).choice(values, 200)
    frame = pl.DataFrame({"x": rows})
    after = rebinned(profile(frame, {"x": fine}).columns["x"], fine, coarse)
    assert after.to_json() == profile(frame, {"x": coarse}).columns["x"].to_json()


def test_a_smooth_column_is_near_what_a_second_read_would_give():
    random = np.random.default_rng(0)
    then, later = random.normal(0, 1, 20_000), random.normal(0.4, 1.3, 20_000)
    source, target = number_bins(then, 64)["x"], number_bins(later, 64)["x"]
    frame = pl.DataFrame({"x": random.normal(0.2, 1.1, 20_000)})
    direct = profile(frame, {"x": target}).columns["x"]
    after = rebinned(profile(frame, {"x": source}).columns["x"], source, target)
    assert ks(direct.counts, after.counts) < 0.02  # the outermost bins are long
    assert after.mean(target) == pytest.approx(direct.mean(target), abs=1e-3)
    assert after.deviation(target) == pytest.approx(direct.deviation(target), abs=1e-3)


def test_a_constant_column_and_infinite_values_keep_their_places():
    source, target = number_bins([5.0] * 10)["x"], number_bins([0.0, 1.0, 5.0, 9.0] * 5)["x"]
    frame = pl.DataFrame({"x": [5.0] * 7 + [math.inf, -math.inf, math.nan, None]})
    after = rebinned(profile(frame, {"x": source}).columns["x"], source, target)
    direct = profile(frame, {"x": target}).columns["x"]
    assert after.to_json() | {"total": 0, "squares": 0} == direct.to_json() | {"total": 0, "squares": 0}


def test_a_reference_without_values_leaves_all_above():
    source, target = number_bins([1.0, 2.0])["x"], number_bins([])["x"]
    after = rebinned(
        profile(pl.DataFrame({"x": [1.0, 2.0, None]}), {"x": source}).columns["x"], source, target
    )
    assert (after.below, after.above, after.missing) == (0, 2, 1)


def test_columns_of_another_kind_are_left_out():
    frame = pl.DataFrame({"x": ["1", "2"], "y": ["a", "b"]})
    source = fit_bins(frame, [], ["x", "y"])
    target = {**fit_bins(pl.DataFrame({"x": [1.0, 2.0]}), ["x"], []), "y": source["y"], "z": source["y"]}
    assert list(rebinned_profile(profile(frame, source), source, target).columns) == ["y"]
    with pytest.raises(ValueError, match="numbers and levels"):
        rebinned(profile(frame, source).columns["x"], source["x"], target["x"])
