"""Agreement of annotators: kappa as scikit-learn has it, and intervals that hold what they promise."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from vitok.stats.agreement import agreement


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_that_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    first = random.choice(["a", "b", "c"], 300, p=[0.6, 0.3, 0.1])
    second = np.where(random.random(300) < 0.7, first, random.choice(["a", "b", "c"], 300))
    found = agreement(list(zip(first, second, strict=True)))
    assert found.kappa is not None
    assert found.kappa[0] == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
    assert found.share[0] == pytest.approx(float(np.mean(first == second)))


def test_where_chance_alone_agrees_nothing_is_known_beyond_it() -> None:
    found = agreement([("a", "a")] * 20)
    assert found.kappa is None
    assert found.share[0] == 1.0


def test_few_pairs_that_all_agree_stay_uncertain() -> None:
    found = agreement([("a", "a"), ("b", "b"), ("a", "a")])
    assert found.kappa is not None
    assert found.kappa[0] == 1.0
    assert found.kappa[1] < 0.2


def test_two_who_never_agree_are_below_chance() -> None:
    found = agreement([("a", "b"), ("b", "a")] * 10)
    assert found.kappa is not None
    assert found.kappa[0] == pytest.approx(-1.0)
    assert found.kappa[1] == -1.0


@pytest.mark.parametrize(("pairs", "agreeing"), [(30, 0.9), (100, 0.75), (300, 0.6)])
def test_the_interval_holds_the_truth_nearly_as_often_as_it_says(pairs: int, agreeing: float) -> None:
    """Both know the class with this chance and guess else; the true kappa is found by 400 000 draws."""

    def draw(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        truth = random.random(count) < 0.4
        copies = [
            np.where(random.random(count) < agreeing, truth, random.random(count) < 0.5) for _ in range(2)
        ]
        return copies[0], copies[1]

    random = np.random.default_rng(7)
    true = cohen_kappa_score(*draw(random, 400_000))
    held = 0
    for _ in range(400):
        found = agreement(list(zip(*(each.tolist() for each in draw(random, pairs)), strict=True)))
        held += found.kappa is not None and found.kappa[1] <= true <= found.kappa[2]
    assert held / 400 >= 0.86
