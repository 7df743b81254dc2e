"""Learning curves: a known power law is found again, and its interval covers the truth."""

import numpy as np
import pytest

from vitok.stats.curves import falls, fit_power_law, gains_of_more_rows
from vitok.stats.scores import Undecidable

SHARES = np.array([0.125, 0.25, 0.375, 0.5, 0.75, 1.0])
ROWS = 40_000.0


def law(shares, drop=0.02, exponent=0.5):
    return 0.8 - drop * shares**-exponent


@pytest.mark.parametrize(("drop", "exponent"), [(0.02, 0.5), (0.05, 0.3), (0.01, 1.0)])
def test_known_law_is_found_again_and_extrapolated(drop, exponent):
    found = fit_power_law(ROWS * SHARES, law(SHARES, drop, exponent))
    assert (found.ceiling, found.drop, found.exponent) == pytest.approx((0.8, drop, exponent), rel=1e-6)
    assert found.at(4 * ROWS) == pytest.approx(law(4.0, drop, exponent))


def test_interval_of_the_gain_covers_the_truth():
    rng, own, covered, runs = np.random.default_rng(1), 0.001, 0, 60
    covariance = np.eye(6) * own**2 + 1e-4  # most of the error is shared by all sizes
    for run in range(runs):
        shared, scatter = rng.normal(0, 0.01), rng.normal(0, own, 6) + rng.normal(0, 0.002, 6)
        values = law(SHARES) + shared + scatter
        gains = gains_of_more_rows(ROWS * SHARES, values, covariance, np.array([2 * ROWS]), seed=run)
        covered += gains.low[0] <= law(2.0) - law(1.0) <= gains.high[0]
    assert covered / runs >= 0.83


def test_gain_grows_with_the_rows_and_is_never_negative():
    asked = ROWS * np.array([1.5, 2, 4])
    gains = gains_of_more_rows(ROWS * SHARES, law(SHARES), np.eye(6) * 1e-6, asked)
    assert (np.diff(gains.values) > 0).all()
    assert (gains.low >= 0).all()
    assert (gains.low <= gains.values).all()
    assert (gains.values <= gains.high).all()


def test_level_curve_promises_nothing():
    gains = gains_of_more_rows(ROWS * SHARES, np.full(6, 0.7), np.eye(6) * 1e-10, np.array([4 * ROWS]))
    assert gains.values[0] == pytest.approx(0, abs=1e-12)
    assert gains.high[0] < 1e-4


def test_fall_to_the_present_rows_is_found_and_noise_or_a_dip_before_is_not():
    assert falls(law(SHARES), np.eye(6) * 1e-6) is None
    falling = np.array([0.70, 0.74, 0.75, 0.74, 0.72, 0.70])
    assert falls(falling, np.eye(6) * 1e-6) == 2
    assert falls(falling, np.eye(6) * 1e-2) is None
    shared = np.eye(6) * 1e-6 + 1e-2  # what all sizes share says nothing about their order
    assert falls(falling, shared) == 2
    assert falls(np.array([0.69, 0.70, 0.72, 0.73, 0.71, 0.74]), np.eye(6) * 1e-6) is None


def test_three_sizes_make_no_curve():
    with pytest.raises(Undecidable, match="3 sizes"):
        fit_power_law(np.array([1.0, 2, 3]), np.array([1.0, 2, 3]))
