"""What a test of a size can decide, against simulation and the published example."""

import numpy as np
import pytest

from vitok.stats.estimates import estimate, estimate_difference
from vitok.stats.power import (
    TestSize,
    auc_variance,
    expected_interval,
    least_passing_value,
    paired_half_width,
    size_for_margin,
)
from vitok.stats.scores import Scored


def draw(rng, rows, share, effect, shared=0.0):
    truth = (rng.random(rows) < share).astype(np.int64)
    common = rng.normal(size=rows)
    return truth, [
        truth * effect + np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.normal(size=rows)
        for _ in range(2)
    ]


def test_published_standard_error_of_an_area():
    assert auc_variance(0.893, 51, 58) ** 0.5 == pytest.approx(0.0322, abs=0.0005)


@pytest.mark.parametrize(("rows", "share", "effect"), [(300, 0.5, 1.0), (2000, 0.1, 0.7), (6000, 0.23, 0.75)])
def test_expected_width_of_an_area_is_that_of_real_tests(rows, share, effect):
    rng = np.random.default_rng(5)
    widths, values, positives = [], [], []
    for _ in range(40):
        truth, (scores, _) = draw(rng, rows, share, effect)
        found = estimate("roc_auc", Scored("binary", truth, 1 / (1 + np.exp(-scores))))
        widths.append(found.high - found.low)
        values.append(found.value)
        positives.append(int(truth.sum()))
    low, high = expected_interval("roc_auc", float(np.mean(values)), TestSize(rows, int(np.mean(positives))))
    assert high - low == pytest.approx(np.mean(widths), rel=0.12)


def test_expected_width_of_a_share_is_that_of_real_tests():
    rng = np.random.default_rng(6)
    truth = (rng.random(1000) < 0.4).astype(np.int64)
    said = np.where(rng.random(1000) < 0.8, truth, 1 - truth)
    found = estimate("accuracy", Scored("binary", truth, said.astype(float), said))
    low, high = expected_interval("accuracy", found.value, TestSize(1000, int(truth.sum())))
    assert (low, high) == pytest.approx((found.low, found.high), abs=1e-9)


def test_paired_width_is_that_of_two_models_that_agree_so_much():
    rng = np.random.default_rng(7)
    widths, values = [], []
    for _ in range(30):
        truth, (one, two) = draw(rng, 3000, 0.3, 0.8, shared=0.8)
        a, b = (Scored("binary", truth, 1 / (1 + np.exp(-scores))) for scores in (one, two))
        found = estimate_difference("roc_auc", a, b)
        widths.append((found.high - found.low) / 2)
        values.append(estimate("roc_auc", a).value)
    expected = paired_half_width("roc_auc", float(np.mean(values)), TestSize(3000, 900))
    assert expected == pytest.approx(np.mean(widths), rel=0.15)


def test_small_test_can_never_clear_a_high_bound():
    assert least_passing_value("accuracy", 0.99, TestSize(100, 50)) is None
    assert least_passing_value("accuracy", 0.99, TestSize(10_000, 50)) == pytest.approx(0.9916, abs=0.001)
    assert least_passing_value("roc_auc", 0.7, TestSize(40, 5)) is None
    assert 0.73 < least_passing_value("roc_auc", 0.7, TestSize(800, 200)) < 0.76


def test_margin_says_how_many_rows_it_needs():
    small = TestSize(2000, 400)
    needed = size_for_margin("roc_auc", 0.75, small, 0.005)
    assert needed.rows > small.rows
    assert paired_half_width("roc_auc", 0.75, needed) <= 0.005
    assert needed.positives / needed.rows == pytest.approx(0.2, abs=0.001)


def test_test_without_positives_decides_nothing():
    assert expected_interval("roc_auc", 0.8, TestSize(100, 0)) == (0.0, 1.0)
    assert expected_interval("recall", 0.8, TestSize(100, 0)) == (0.0, 1.0)
