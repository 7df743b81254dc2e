"""Where scores are cut."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from vitok.stats.scores import Undecidable
from vitok.stats.thresholds import best_threshold, elkan_threshold

COSTS = (40.0, -5.0, -60.0, 0.0)


def _profit(truth: np.ndarray, scores: np.ndarray, cut: float) -> float:
    said = scores >= cut
    kinds = (truth == 1) & said, (truth == 0) & said, (truth == 1) & ~said, (truth == 0) & ~said
    return sum(float(money * kind.sum()) for money, kind in zip(COSTS, kinds, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cut_earns_the_most_of_all_cuts(dtype: type) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scores = np.round(rng.random(80), 2).astype(dtype)
        truth = (rng.random(80) < scores).astype(int)
        cuts = np.concatenate([np.unique(scores), [dtype(2)]])
        best = max(_profit(truth, scores, cut) for cut in cuts)
        assert _profit(truth, scores, best_threshold(truth, scores, COSTS)) == pytest.approx(best)
        best = max(f1_score(truth, scores >= cut, zero_division=0) for cut in cuts)
        assert f1_score(truth, scores >= best_threshold(truth, scores)) == pytest.approx(best)


def test_cut_lies_between_neighbours_even_where_nothing_is_between() -> None:
    low = np.float32(0.5)
    scores = np.array([low, np.nextafter(low, np.float32(1))])
    cut = best_threshold(np.array([0, 1]), scores)
    assert (scores >= cut).tolist() == [False, True]


def test_all_or_none_can_be_best() -> None:
    truth, scores = np.array([0, 1, 0]), np.array([0.2, 0.4, 0.9])
    assert best_threshold(truth, scores, (100.0, 1.0, 0.0, 0.0)) == pytest.approx(0.1)
    assert best_threshold(truth, scores, (-1.0, -1.0, 0.0, 0.0)) == pytest.approx(0.95)
    assert not (np.ones(2) >= best_threshold(np.zeros(2), np.ones(2), (1.0, -1.0, 0.0, 0.0))).any()


def test_elkan_threshold_is_where_both_decisions_are_worth_the_same() -> None:
    p = elkan_threshold(COSTS)
    assert p * 40 + (1 - p) * -5 == pytest.approx(p * -60)
    with pytest.raises(Undecidable):
        elkan_threshold((0.0, 0.0, 0.0, 0.0))


def test_rows_without_a_positive_or_without_rows_are_refused() -> None:
    for truth, scores in (
        (np.zeros(3), np.ones(3)),
        (np.zeros(0), np.zeros(0)),
        (np.ones(1), np.array([np.nan])),
    ):
        with pytest.raises(Undecidable):
            best_threshold(truth, scores)
