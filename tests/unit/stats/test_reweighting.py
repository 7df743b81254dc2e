"""A calibration made for the rows of a window: right where plain calibration cannot be, and silent where nothing is."""

import numpy as np
import pytest

from vitok.stats.estimates import estimate
from vitok.stats.reweighting import KnownRows, window_calibration
from vitok.stats.scores import Scored, Undecidable
from vitok.stats.unlabelled import Answers, estimate_unlabelled, fit_calibration


def drawn(rng, rows, share):
    """Rows of two groups; in the first a score comes true less often than it says, in the second more often."""
    group = (rng.random(rows) < share).astype(float)
    other = rng.normal(size=rows)
    scores = rng.uniform(0.05, 0.95, rows)
    chance = np.clip(scores + np.where(group == 1, -0.2, 0.2) * (1 - np.abs(2 * scores - 1)), 0, 1)
    truth = (rng.random(rows) < chance).astype(np.int64)
    decisions = (scores >= 0.5).astype(np.int64)
    return Scored("binary", truth, scores, decisions), np.column_stack([group, other])


def both(metric, known, inputs, window, now, seed=0):
    answers = Answers("binary", window.scores, window.decisions)
    plain = estimate_unlabelled(metric, fit_calibration(known), answers)
    rows = KnownRows(known, inputs, (0,))
    made = window_calibration(rows, window.scores, now, seed=seed)
    return plain, estimate_unlabelled(metric, made, answers), estimate(metric, window).value


@pytest.mark.parametrize("metric", ["precision", "recall", "f1"])
def test_where_a_score_means_another_thing_for_other_rows_only_reweighting_sees_their_shift(metric):
    rng = np.random.default_rng(1)
    known, inputs = drawn(rng, 8000, 0.5)
    window, now = drawn(rng, 3000, 0.95)
    plain, made, true = both(metric, known, inputs, window, now)
    assert not plain.low <= true <= plain.high
    assert made.low <= true <= made.high
    assert abs(made.value - true) < 0.4 * abs(plain.value - true)


def test_its_interval_holds_what_labels_say_in_most_windows():
    held, runs = 0, 40
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        known, inputs = drawn(rng, 4000, 0.5)
        window, now = drawn(rng, 1000, 0.8)
        _, made, true = both("accuracy", known, inputs, window, now, seed)
        held += made.low <= true <= made.high
    assert held / runs >= 0.8


def test_rows_unlike_any_of_the_reference_are_refused_with_their_share():
    rng = np.random.default_rng(2)
    known, inputs = drawn(rng, 4000, 0.5)
    window, now = drawn(rng, 2000, 0.5)
    now[:600, 1] += 12
    with pytest.raises(Undecidable, match=r"rows like (6|7|8)\d% of these only"):
        window_calibration(KnownRows(known, inputs, (0,)), window.scores, now)


def test_the_share_that_decides_of_several_classes_is_calibrated_too():
    rng = np.random.default_rng(3)

    def some(rows, share):
        group = (rng.random(rows) < share).astype(float)
        scores = rng.dirichlet([2, 1, 1], rows)
        right = rng.random(rows) < np.where(group == 1, 0.9, 0.5)
        best = scores.argmax(axis=1)
        return Scored("multiclass", np.where(right, best, (best + 1) % 3), scores), group[:, None]

    known, inputs = some(6000, 0.5)
    window, now = some(2000, 0.1)
    made = window_calibration(KnownRows(known, inputs, (0,)), window.scores, now)
    answers = Answers("multiclass", window.scores)
    true = estimate("accuracy", window).value
    assert estimate_unlabelled("accuracy", made, answers).value == pytest.approx(true, abs=0.04)
    assert estimate_unlabelled("accuracy", fit_calibration(known), answers).value > true + 0.1


def test_more_rows_than_are_looked_at_are_sampled_the_same_way_each_time():
    rng = np.random.default_rng(4)
    known, inputs = drawn(rng, 4000, 0.5)
    window, now = drawn(rng, 3000, 0.5)
    one, two = (
        window_calibration(KnownRows(known, inputs), window.scores, now, seed=5, most_rows=1000)
        for _ in range(2)
    )
    assert one == two
    assert one.rows <= 1000
