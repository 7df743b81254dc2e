import numpy as np
import pytest
from scipy.stats import ttest_ind

from vitok.release.guards import Values
from vitok.release.looks import judge_at_looks


def values(rng, rows, better=0.0):
    arms = rng.random(rows) < 0.5
    found = (rng.random(rows) < np.where(arms, 0.8 + better, 0.8)).astype(float)
    return Values(found, arms, np.full(rows, 0.5), 0.0, 1.0), np.sort(rng.random(rows))


@pytest.mark.parametrize("looks", [1, 10])
def test_no_difference_is_seen_as_seldom_as_promised_though_looked_at_ten_times(looks):
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(2000):
        seen, due = values(rng, 600)
        found = judge_at_looks("quality", seen, due, 1.0, looks, 0.1)
        wrong += found.broken or found.kept
    assert wrong / 2000 == pytest.approx(0.1, abs=0.021)  # 3 deviations


def test_an_effect_is_found_before_the_end():
    rng, first = np.random.default_rng(2), []
    for _ in range(100):
        seen, due = values(rng, 3000, better=0.08)
        looks = [judge_at_looks("quality", seen, due, look / 10, 10, 0.05) for look in range(1, 11)]
        assert looks[-1].kept
        assert not looks[-1].broken
        first.append(next(number for number, found in enumerate(looks, 1) if found.kept))
    assert 3 < np.mean(first) < 8


def test_the_last_look_alone_is_a_test_of_two_means():
    seen, due = values(np.random.default_rng(3), 2000, better=0.03)
    found = judge_at_looks("quality", seen, due, 1.0, 1, 0.05)
    exact = ttest_ind(seen.values[seen.arms], seen.values[~seen.arms], equal_var=False).confidence_interval(
        0.95
    )
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-4)


def test_what_was_decided_at_a_look_stands():
    """Better at the second look, and worse by what came later: the first decision counts."""
    arms = np.tile([True, False], 1000)
    good = np.where(arms, 1.0, 0.0)
    bad = np.where(arms, 0.0, 1.0)
    noise = np.random.default_rng(4).random(4000) < 0.3
    found = np.where(noise, 0.5, np.concatenate([good, bad]))
    seen = Values(found, np.tile(arms, 2), np.full(4000, 0.5), 0.0, 1.0)
    told = judge_at_looks("quality", seen, np.linspace(0, 1, 4000), 1.0, 10, 0.05)
    assert (told.kept, told.broken) == (True, False)


@pytest.mark.parametrize(("passed", "looks"), [(0.05, 10), (0.99, 1), (-1.0, 10)])
def test_before_the_first_look_nothing_is_told(passed, looks):
    seen, due = values(np.random.default_rng(5), 100)
    assert judge_at_looks("quality", seen, due, passed, looks, 0.05) is None


def test_an_arm_without_values_decides_nothing():
    seen = Values(np.ones(50), np.ones(50, dtype=bool), np.full(50, 0.5), 0.0, 1.0)
    found = judge_at_looks("quality", seen, np.linspace(0, 1, 50), 1.0, 10, 0.05)
    assert (found.broken, found.kept, found.champion, found.low) == (False, False, None, -np.inf)
