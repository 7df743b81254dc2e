import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression

from vitok.stats.conformal import Intervals, fit_sets, fit_shares, fit_values
from vitok.stats.scores import Undecidable


def test_shares_are_those_of_the_exact_binomial_test_in_each_bin():
    rng = np.random.default_rng(1)
    scores = rng.random(1000)
    positive = rng.random(1000) < scores
    table = fit_shares(positive, scores, 0.9)
    assert len(table.low) == 10
    place = np.searchsorted(np.array(table.edges), scores, "right")
    for number, (low, high) in enumerate(zip(table.low, table.high, strict=True)):
        mine = positive[place == number]
        exact = binomtest(int(mine.sum()), len(mine)).proportion_ci(0.9, "exact")
        assert (low, high) == pytest.approx((exact.low, exact.high))


def test_shares_without_and_with_only_positive_rows_reach_the_ends():
    scores = np.repeat([0.1, 0.9], 300)
    table = fit_shares(scores > 0.5, scores, 0.95)
    assert (table.low[0], table.high[-1]) == (0.0, 1.0)
    assert table.high[0] == pytest.approx(1 - 0.025 ** (1 / 300))


@given(st.lists(st.sampled_from([0.0, 0.2, 0.2, 0.5, 1.0]), min_size=500, max_size=900), st.integers(0, 99))
def test_every_bin_has_enough_rows_and_equal_scores_stay_together(found, seed):
    scores = np.array(found)
    truth = np.random.default_rng(seed).random(len(scores)) < scores
    table = fit_shares(truth, scores, 0.9)
    counts = np.bincount(np.searchsorted(np.array(table.edges), scores, "right"), minlength=len(table.low))
    assert counts.min() >= 100
    assert list(table.edges) == sorted(set(table.edges))
    low, high = table.bounds(scores, is_value=False)
    assert np.all((low >= 0) & (low < high) & (high <= 1))


def test_values_are_covered_as_often_as_promised_whatever_the_noise():
    """Noise that grows with the value, and a wrong model: coverage holds on average over calibration sets."""
    rng, covered, widths = np.random.default_rng(2), [], []
    for _ in range(60):
        truth, values = _noisy(rng, 1000)
        table = fit_values(truth, values, 0.9)
        again, predicted = _noisy(rng, 2000)
        low, high = table.bounds(predicted, is_value=True)
        covered.append(np.mean((low <= again) & (again <= high)))
        widths.append((high - low)[np.argsort(predicted)])
    assert 0.895 < np.mean(covered) < 0.92
    width = np.mean(widths, axis=0)
    assert width[-200:].mean() > 3 * width[:200].mean()  # where it errs more it says so


def _noisy(rng, rows):
    values = rng.random(rows) * 10
    return values * 1.3 + rng.standard_exponential(rows) * (0.1 + values), values


def test_one_bin_gives_the_order_statistics_of_the_residuals():
    residuals = norm.ppf((np.arange(100) + 0.5) / 100)
    table = fit_values(residuals, np.zeros(100), 0.9)
    ordered = np.sort(residuals)
    assert (table.low, table.high) == ((ordered[100 - 96],), (ordered[95],))  # ceil(101 * 0.95) = 96


def test_real_values_and_classes_are_covered():
    rng = np.random.default_rng(3)
    data, digits = load_diabetes(), load_digits()
    covered, held, sizes = [], [], []
    for _ in range(20):
        fit, look, new = np.split(rng.permutation(len(data.target)), [150, 300])
        model = LinearRegression().fit(data.data[fit], data.target[fit])
        table = fit_values(data.target[look], model.predict(data.data[look]), 0.8)
        low, high = table.bounds(model.predict(data.data[new]), is_value=True)
        covered.append(np.mean((low <= data.target[new]) & (data.target[new] <= high)))
    fit, rest = np.split(rng.permutation(len(digits.target)), [200])
    shares = LogisticRegression(C=1e-3, max_iter=500).fit(digits.data[fit], digits.target[fit])
    for _ in range(20):
        look, new = np.split(rng.permutation(rest), [600])
        table = fit_sets(digits.target[look], shares.predict_proba(digits.data[look]), 0.95)
        sets = table.sets(shares.predict_proba(digits.data[new]))
        held.append(np.mean(sets[np.arange(len(new)), digits.target[new]]))
        sizes.append(sets.sum(axis=1).mean())
    assert 0.78 < np.mean(covered) < 0.84
    assert 0.94 < np.mean(held) < 0.97
    assert np.mean(sizes) < 3


def test_a_set_always_has_the_likeliest_class():
    table = Intervals(0.9, (), (), (), 0.8)
    assert table.sets(np.array([[0.5, 0.3, 0.2], [0.05, 0.9, 0.05]])).tolist() == [
        [True, False, False],
        [False, True, False],
    ]


def test_too_few_rows_give_no_table():
    few = np.linspace(0, 1, 99)
    for fit in (
        lambda: fit_shares(np.arange(499) > 250, np.arange(499) / 499, 0.9),
        lambda: fit_values(few, few, 0.9),
        lambda: fit_values(np.linspace(0, 1, 399), np.zeros(399), 0.99),
        lambda: fit_sets(np.zeros(99, dtype=np.int64), np.ones((99, 1)), 0.9),
    ):
        with pytest.raises(Undecidable, match="too few"):
            fit()


def test_a_table_comes_back_from_json():
    rng = np.random.default_rng(4)
    table = fit_values(rng.random(500), rng.random(500), 0.9)
    assert Intervals.from_json(json.loads(json.dumps(table.to_json()))) == table
