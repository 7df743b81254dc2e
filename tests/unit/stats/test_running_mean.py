"""The running mean holds its interval at all times, also of a mean that moves."""

import numpy as np
import pytest

from vitok.stats.running_mean import LEAST_VALUES, running_mean
from vitok.stats.scores import Undecidable


@pytest.mark.parametrize("kind", ["normal", "skewed", "moving"])
def test_the_interval_misses_the_mean_so_far_seldom_however_often_one_looks(kind: str) -> None:
    rng, missed, runs = np.random.default_rng(1), 0, 300
    for _ in range(runs):
        truth = np.where(kind == "moving", 5 * np.sin(np.arange(300) / 20), 2.0)
        noise = rng.exponential(1.0, 300) - 1 if kind == "skewed" else rng.standard_normal(300)
        values, means = truth + 3 * noise, np.cumsum(truth) / np.arange(1, 301)
        for seen in range(20, 301, 5):
            _, low, high = running_mean(values[:seen])
            if not low <= means[seen - 1] <= high:
                missed += 1
                break
    assert missed / runs <= 0.10 + 0.03


def test_the_interval_narrows_and_holds_the_mean() -> None:
    values = np.random.default_rng(2).normal(10, 2, 1000)
    widths = [running_mean(values[:count])[2] - running_mean(values[:count])[1] for count in (20, 100, 1000)]
    assert widths[0] > widths[1] > widths[2]
    mean, low, high = running_mean(values)
    assert low < mean < high
    assert mean == pytest.approx(values.mean())


def test_few_values_say_nothing_and_equal_ones_all() -> None:
    with pytest.raises(Undecidable, match="too few"):
        running_mean(np.ones(LEAST_VALUES - 1))
    assert running_mean(np.ones(50)) == (1.0, 1.0, 1.0)
