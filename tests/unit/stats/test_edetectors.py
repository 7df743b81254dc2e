"""E-detectors against the published run lengths and their defining property."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.stats.edetectors import (
    Detector,
    bernoulli_e_values,
    e_benjamini_hochberg,
    mean_evidence,
    normal_e_values,
    shiryaev_roberts,
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


def test_a_budget_is_held_by_windows_of_normal_figures_and_a_change_is_seen() -> None:
    rng = np.random.default_rng(423)

    def first_cry(shift: float, most: int) -> int:
        detector = Detector()
        for window in range(most):
            detector = detector.after(normal_e_values(float(rng.standard_normal() + shift), 1.0))
            if detector.level >= threshold(90):
                return window + 1
        return most

    runs = np.array([first_cry(0.0, 600) for _ in range(150)])
    assert runs.mean() + 3 * runs.std() / len(runs) ** 0.5 >= 90
    assert np.mean([first_cry(1.0, 600) for _ in range(50)]) <= 12
    assert np.mean([first_cry(6.0, 600) for _ in range(20)]) == 1


def test_a_detector_is_what_the_recursion_says_and_knows_when_a_change_began() -> None:
    detector, factors = Detector(), np.array([0.5, 0.3, 2.0, 5.0, 8.0])
    for factor in factors.tolist():
        detector = detector.after((factor,) * len(detector.levels))
    assert detector.level == pytest.approx(shiryaev_roberts(factors)[-1])
    assert detector.windows == 5
    assert detector.run == 3  # evidence has grown since the third window
    assert Detector.from_json(detector.as_json()).level == pytest.approx(detector.level, rel=1e-5)


@given(st.floats(0, 40), st.floats(0.01, 10))
def test_the_mean_of_each_normal_e_value_is_at_most_one_below_the_bound(shift: float, scale: float) -> None:
    grid = np.linspace(-10, 10, 201)
    weight = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * 0.1
    values = np.array([normal_e_values(float(z - shift) * scale, scale) for z in grid])
    assert (values.T @ weight <= 1.0 + 1e-6).all()


def test_evidence_of_several_tests_is_averaged_effect_by_effect() -> None:
    assert mean_evidence(((1.0, 4.0), (3.0, 0.0))) == (2.0, 2.0)


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
        rejected = e_benjamini_hochberg([max(normal_e_values(float(each), 1.0)) / 2 for each in z], 0.1)
        shares.append(sum(place >= 4 for place in rejected) / max(1, len(rejected)))
    assert np.mean(shares) <= 0.1
