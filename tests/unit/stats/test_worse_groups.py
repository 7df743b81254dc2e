import numpy as np
import pytest

from vitok.stats.scores import Undecidable
from vitok.stats.worse_groups import FOLDS, benjamini_hochberg, folds_of, judge_groups


def test_rows_of_a_day_stay_together_unless_there_are_too_few_days():
    days = np.repeat(np.arange(50), 10)
    folds = folds_of(days, seed=1)
    assert all(len(set(folds[days == day])) == 1 for day in range(50))
    assert len(set(folds)) == FOLDS
    assert len(set(folds_of(np.repeat(np.arange(3), 200), seed=1)[:200])) > 30


def test_benjamini_and_hochberg_step_up():
    # Their own example (J. R. Stat. Soc. B 57, 1995, section 3.3): 4 of 15 at .05.
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    assert benjamini_hochberg(p, 0.05) == {0, 1, 2, 3}
    assert benjamini_hochberg([], 0.05) == set()


def test_days_that_go_wrong_as_a_whole_are_no_evidence_of_a_group():
    """Rows of a group lie in few bad days: counted as independent they would call it worse in most runs."""
    found, runs = 0, 200
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        days = np.repeat(np.arange(80), 25)
        loss = rng.normal(size=80)[days] + 0.3 * rng.normal(size=len(days))
        inside = (days % 4 == 0) & (rng.random(len(days)) < 0.8)
        judged = judge_groups(
            [inside], folds_of(days, seed), lambda m, loss=loss: loss[m].mean(), higher_is_better=False
        )
        found += judged[0].is_worse
    assert found / runs < 0.10


def test_intervals_of_what_was_chosen_hold_and_exclude_what_is_tolerated():
    missed = chosen = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        group, loss = rng.integers(0, 6, 4000), rng.normal(1.0, 1.0, 4000)
        loss += 0.2 * (group == 2)
        masks = [group == number for number in range(6)]
        truth = [0.2 if number == 2 else -0.04 for number in range(6)]
        judged = judge_groups(
            masks,
            rng.permutation(4000) % FOLDS,
            lambda m, loss=loss: loss[m].mean(),
            higher_is_better=False,
            concession=0.05,
        )
        for each, true in zip(judged, truth, strict=True):
            if each.is_worse:
                chosen += 1
                assert each.difference.low > 0.0
                missed += not each.difference.low <= true <= each.difference.high
    assert chosen > 30
    assert missed / chosen < 0.12


def test_a_figure_that_cannot_be_told_says_nothing_and_a_better_group_is_not_worse():
    def figure(mask):
        if mask.sum() < 50:
            raise Undecidable("too few")
        return float(values[mask].mean())

    values = np.concatenate([np.ones(100), np.zeros(900)]) + np.random.default_rng(0).normal(size=1000) / 10
    folds = np.arange(1000) % FOLDS
    few, better = np.arange(1000) < 20, np.arange(1000) < 100
    judged = judge_groups([few, better], folds, figure, higher_is_better=True)
    assert judged[0] is None
    assert not judged[1].is_worse
    assert judged[1].difference.value == pytest.approx(1.0, abs=0.05)
