"""The six shapes of value over effort: each found again from noisy points, whatever the units."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitok.stats.scores import Undecidable
from vitok.stats.shapes import SHAPES, aicc, fit_shapes, refits

TRUTH = {
    "linear": lambda e: e,
    "exponential decay": lambda e: 1 - np.exp(-6 * e),
    "sigmoid": lambda e: 1 / (1 + np.exp(-14 * (e - 0.5))),
    "step": lambda e: (e >= 0.45) * 1.0,
    "U": lambda e: (e - 0.45) ** 2 / 0.3,
    "delayed step": lambda e: np.clip((e - 0.5) / 0.3, 0, 1),
}


def noisy(shape, points=16, seed=0, noise=0.015):
    """Effort up to 80 hours and values from 0.7 to 0.8."""
    e = np.linspace(1 / points, 1, points)
    scatter = np.random.default_rng(seed).normal(0, noise, points)
    return 80 * e, 0.7 + 0.1 * (TRUTH[shape](e) + scatter)


@pytest.mark.parametrize("shape", TRUTH)
@pytest.mark.parametrize("seed", range(3))
def test_shape_is_found_again(shape, seed):
    effort, value = noisy(shape, seed=seed)
    fits = fit_shapes(effort, value)
    assert fits[0].shape == shape
    assert fits[0].at(effort) == pytest.approx(value, abs=0.006)
    assert math.isclose(sum(fit.weight for fit in fits), 1.0)
    again = refits(fits, effort, value)
    assert sum(fit.shape == shape for fit in again) > 0.6 * len(again)


def test_aicc_is_the_hand_computed_value():
    # n = 12, RSS = 0.48, three parameters of the curve and the variance: k = 4.
    assert aicc(0.48, 12, 3) == pytest.approx(12 * math.log(0.04) + 8 + 40 / 7)
    assert aicc(0.48, 12, 3) == pytest.approx(-24.9122, abs=1e-4)


@pytest.mark.parametrize(
    ("points", "parameters", "judged"), [(5, 2, True), (5, 3, False), (6, 3, True), (6, 4, False)]
)
def test_shape_with_too_many_parameters_for_the_points_is_left_out(points, parameters, judged):
    assert (aicc(0.1, points, parameters) is not None) == judged


def test_five_points_leave_a_straight_line_only():
    effort, value = noisy("exponential decay", points=5)
    fits = fit_shapes(effort, value)
    assert [fit.shape for fit in fits if fit.aicc is not None] == ["linear"]
    assert fits[0].weight == 1.0
    assert {fit.shape for fit in refits(fits, effort, value, count=20)} == {"linear"}


@settings(max_examples=25)
@given(
    st.sampled_from(sorted(TRUTH)),
    st.floats(1e-3, 1e5),
    st.floats(1e-3, 1e5),
    st.floats(-1e3, 1e3),
    st.integers(0, 9),
)
def test_selection_depends_on_no_unit(shape, hours, money, shift, seed):
    effort, value = noisy(shape, seed=seed)
    plain, moved = fit_shapes(effort, value), fit_shapes(hours * effort, money * (value + shift))
    assert [fit.shape for fit in moved[:2]] == [fit.shape for fit in plain[:2]]
    assert moved[0].weight == pytest.approx(plain[0].weight, abs=1e-3)


def test_points_without_any_difference_are_a_level_line():
    fits = fit_shapes(np.arange(1.0, 9.0), np.full(8, 0.7))
    assert fits[0].shape == "linear"
    assert np.ptp(fits[0].at(np.arange(1.0, 10.0))) == 0
    assert all(fit.rise == 0 for fit in refits(fits, np.arange(1.0, 9.0), np.full(8, 0.7), count=10))


def test_too_few_points_or_one_effort_are_refused():
    with pytest.raises(Undecidable, match="only 4 of the 5"):
        fit_shapes(np.arange(1.0, 5.0), np.arange(4.0))
    with pytest.raises(Undecidable, match="one effort"):
        fit_shapes(np.ones(6), np.arange(6.0))


def test_every_shape_says_what_it_means():
    assert all(shape.meaning for shape in SHAPES.values())
