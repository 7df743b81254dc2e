"""E-detectors against the published run lengths and their defining property."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.stats.edetectors import (
    Detector,
    bernoulli_e_values,
    e_benjamini_hochberg,
    normal_e_value,
    p_to_e,
    threshold,
)


def _runs(factors: np.ndarray, limit: float, kind: str) -> np.ndarray:
    """Length of the first run of each row; rows that never reach the limit count as their length."""
    level, run = np.zeros(len(factors)), np.full(len(factors), factors.shape[1])
    for step in range(factors.shape[1]):
        level = factors[:, step] * (level + 1.0 if kind == "sr" else np.maximum(level, 1.0))
        run = np.where((level >= limit) & (run == factors.shape[1]), step + 1, run)
    return run


@pytest.mark.parametrize(("limit", "delay"), [(1e3, 133), (1e4, 240)])
def test_delay_of_a_doubled_error_rate_is_the_published_one(limit: float, delay: int) -> None:
    rng = np.random.default_rng(421)
    factors = bernoulli_e_values(rng.random((2000, 2000)) < 0.10, 0.05, 0.10)
    assert _runs(factors, limit, "sr").mean() == pytest.approx(delay, rel=0.06)


def test_run_length_without_a_change_is_the_published_one() -> None:
    rng = np.random.default_rng(422)
    factors = bernoulli_e_values(rng.random((600, 9000)) < 0.05, 0.05, 0.10)
    mean = _runs(factors, 1e3, "sr").mean()
    assert mean >= 1000
    assert mean == pytest.approx(1358, rel=0.10)


@pytest.mark.parametrize("kind", ["sr", "cusum"])
def test_a_budget_is_held_by_windows_of_normal_figures(kind: str) -> None:
    rng = np.random.default_rng(423)
    figures = rng.standard_normal((300, 600))
    factors = np.vectorize(lambda z: normal_e_value(z, 1.0))(figures)
    runs = _runs(factors, threshold(90), kind)
    assert runs.mean() + 3 * runs.std() / len(runs) ** 0.5 >= 90


def test_a_detector_is_what_the_recursion_says_and_knows_when_a_change_began() -> None:
    detector, level = Detector(), 0.0
    for factor in (0.5, 0.3, 2.0, 5.0, 8.0):
        detector, level = detector.after(factor), factor * (level + 1)
    assert detector.level == pytest.approx(level)
    assert detector.windows == 5
    assert detector.run == 3  # evidence has grown since the third window


def test_cusum_never_passes_shiryaev_roberts() -> None:
    rng, one, two = np.random.default_rng(424), Detector(), Detector()
    for factor in np.exp(rng.standard_normal(200)):
        one, two = one.after(float(factor)), two.after(float(factor), "cusum")
        assert two.level <= one.level


@given(st.floats(0.25, 40), st.floats(0.01, 10))
def test_the_mean_of_a_normal_e_value_is_at_most_one_below_the_bound(shift: float, scale: float) -> None:
    grid = (np.arange(20001) - 10000) / 1000
    weight = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) / 1000
    values = [normal_e_value(float(z * scale - shift * scale), scale) for z in grid[::100]]
    assert sum(values * weight[::100]) * 100 <= 1.0 + 1e-6


def test_p_values_become_e_values_of_mean_one() -> None:
    p = (np.arange(1, 40001) - 0.5) / 40000
    assert np.mean([p_to_e(float(each)) for each in p]) == pytest.approx(1.0, abs=0.12)
    assert p_to_e(0.0) < 1e14
    assert p_to_e(1.0) == pytest.approx(0.5)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_e_bh_rejects_the_largest_only(e_values: list[float]) -> None:
    rejected = e_benjamini_hochberg(e_values, 0.1)
    kept = [value for place, value in enumerate(e_values) if place not in rejected]
    assert all(e_values[place] >= max(kept, default=0.0) for place in rejected)
    assert all(e_values[place] * len(rejected) >= len(e_values) / 0.1 for place in rejected)


def test_e_bh_holds_its_false_discoveries_under_dependence() -> None:
    rng, shares = np.random.default_rng(425), []
    for _ in range(400):
        common = rng.standard_normal()
        z = 0.9 * common + np.sqrt(1 - 0.81) * rng.standard_normal(20)
        z[:4] += 5
        rejected = e_benjamini_hochberg([normal_e_value(float(each), 1.0) for each in z], 0.1)
        shares.append(sum(place >= 4 for place in rejected) / max(1, len(rejected)))
    assert np.mean(shares) <= 0.1
