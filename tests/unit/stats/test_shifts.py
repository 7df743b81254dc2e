"""Shifts of columns: every distance, its interval, and what leaves them alone."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2_contingency

from vitok.stats.bins import fit_bins
from vitok.stats.profiles import Column, profile
from vitok.stats.shifts import coarse_counts, shift_intervals, shift_of


def _pair(then: object, now: object, *, levels: bool = False) -> tuple[Column, Column]:
    frames = [pl.DataFrame({"x": each}, strict=False) for each in (then, now)]
    bins = fit_bins(frames[0], [] if levels else ["x"], ["x"] if levels else [])
    one, two = (profile(frame, bins).columns["x"] for frame in frames)
    return one, two


def test_few_values_say_nothing() -> None:
    pair = _pair(np.arange(500.0), np.arange(30.0))
    assert shift_of(*pair) is None
    assert shift_intervals(*pair) == {}


def test_chi_square_is_pearson_s() -> None:
    rng = np.random.default_rng(1)
    pair = _pair(rng.choice(list("abc"), 900), rng.choice(list("abc"), 700, p=[0.5, 0.3, 0.2]), levels=True)
    found, expected = (
        shift_of(*pair),
        chi2_contingency(np.stack(coarse_counts(*pair))[:, :3], correction=False),
    )
    assert found is not None
    assert found.chi_square == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.ks is None


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.6])
def test_intervals_hold_the_truth(shift: float) -> None:
    rng = np.random.default_rng(2)
    reference = rng.standard_normal(20_000)
    truth = shift_of(*_pair(reference, rng.standard_normal(2_000_000) + shift))
    assert truth is not None
    names = ("psi", "kl", "js", "hellinger", "ks", "wasserstein")
    hits = dict.fromkeys(names, 0)
    for seed in range(120):
        found = shift_intervals(*_pair(reference, rng.standard_normal(800) + shift), seed=seed)
        for name in names:
            low, high = found[name]
            hits[name] += low - 1e-3 <= getattr(truth, name) <= high + 1e-3
    assert min(hits.values()) >= 0.8 * 120, hits


def test_five_thousand_unchanged_levels_are_no_shift() -> None:
    rng = np.random.default_rng(3)
    share = 1 / np.arange(1, 5001) ** 1.1
    draw = [rng.choice(5000, size=n, p=share / share.sum()).astype(str) for n in (50_000, 5_000)]
    found = shift_of(*_pair(*draw, levels=True))
    assert found is not None
    assert found.psi < 0.02
    assert shift_intervals(*_pair(*draw, levels=True))["psi"][0] < 0.02
