import numpy as np
import pytest
from scipy.stats import norm

from vitok.stats.density_ratio import density_ratio
from vitok.stats.scores import Undecidable


def test_weights_follow_the_true_ratio_of_two_normal_laws():
    rng = np.random.default_rng(0)
    then, now = rng.normal(0, 1, (8000, 1)), rng.normal(0.5, 1, (8000, 1))
    weights = density_ratio(then, now)
    true = norm.pdf(then[:, 0], 0.5) / norm.pdf(then[:, 0])
    middle = np.abs(then[:, 0]) < 2
    assert np.abs(np.log(weights[middle] / true[middle])).mean() < 0.15
    assert np.average(then[:, 0], weights=weights) == pytest.approx(0.5, abs=0.08)


def test_weights_are_near_one_without_a_shift_and_the_same_for_the_same_seed():
    rng = np.random.default_rng(1)
    then, now = rng.normal(size=(3000, 3)), rng.normal(size=(500, 3))
    one, two = (density_ratio(then, now, seed=5, most_rows=1000) for _ in range(2))
    assert np.array_equal(one, two)
    assert one.sum() ** 2 / np.dot(one, one) > 2000


def test_categories_and_missing_values_are_weighed():
    rng = np.random.default_rng(2)
    then = np.c_[rng.choice([3.0, 70.0, 900.0], 6000, p=[0.5, 0.3, 0.2]), rng.normal(size=6000)]
    now = np.c_[rng.choice([3.0, 70.0, 900.0], 6000, p=[0.2, 0.3, 0.5]), rng.normal(size=6000)]
    now[rng.random(6000) < 0.3, 1] = np.nan
    then[rng.random(6000) < 0.1, 1] = np.nan
    weights = density_ratio(then, now, categorical=(0,))
    assert weights[(then[:, 0] == 900) & np.isnan(then[:, 1])].mean() == pytest.approx(2.5 * 3, rel=0.25)
    assert np.average(then[:, 0] == 900, weights=weights) == pytest.approx(0.5, abs=0.04)


def test_a_column_of_thousands_of_levels_is_taken_as_numbers():
    rng = np.random.default_rng(3)
    weights = density_ratio(rng.permutation(2000)[:, None], rng.permutation(2000)[:, None], categorical=(0,))
    assert np.isfinite(weights).all()


@pytest.mark.parametrize(
    ("reference", "window", "message"),
    [
        (np.zeros((50, 2)), np.zeros((500, 2)), "50 rows of the reference are too few"),
        (np.zeros((500, 2)), np.zeros((0, 2)), "0 rows of the window are too few"),
        (np.zeros((500, 2)), np.zeros((500, 3)), "has not the columns"),
        (np.zeros((500, 1)), np.full((500, 1), np.inf), "infinite values in the window"),
    ],
)
def test_rows_that_cannot_be_weighed_say_why(reference, window, message):
    with pytest.raises(Undecidable, match=message):
        density_ratio(reference, window)
