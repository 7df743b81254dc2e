"""Labels that contradict scores are told from models that became worse."""

import numpy as np
import pytest

from vitok.stats.label_trust import ALPHA, LEAST_ROWS, distrust
from vitok.stats.scores import Scored, Undecidable


def drawn(rows, seed=0, sharpness=1.5, base=-1.0):
    rng = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-(base + sharpness * rng.normal(size=rows))))
    return rng, scores, (rng.random(rows) < scores).astype(np.int64)


def test_flipped_labels_run_against_the_scores():
    _, scores, truth = drawn(300)
    assert distrust(Scored("binary", truth, scores)) is None
    assert "flipped" in distrust(Scored("binary", 1 - truth, scores))


@pytest.mark.parametrize("constant", [0, 1])
def test_constant_label_is_of_a_share_that_no_ordinary_decline_comes_to(constant):
    _, scores, _ = drawn(300)
    found = distrust(Scored("binary", np.full(300, constant), scores))
    assert found.endswith(" than the scores expect")


@pytest.mark.parametrize("odds", [1 / 4, 1, 4])
def test_honest_decline_to_scores_that_tell_nothing_is_learned_from(odds):
    """The order is lost altogether, and the odds moved fourfold: both within the line."""
    held = 0
    for seed in range(300):
        rng, scores, _ = drawn(200, seed)
        moved = rng.permutation(scores) / (1 - scores.mean()) * odds
        truth = (rng.random(200) < moved / (1 + moved)).astype(np.int64)
        held += distrust(Scored("binary", truth, scores)) is not None
    assert held <= 3  # 300 looks at a level of 0.001: more than 3 in vain happen once in 4000


def test_false_alarms_at_the_very_line_keep_to_the_level():
    """Scores that tell nothing, the worst that counts as a decline."""
    held = 0
    for seed in range(2000):
        rng, scores, truth = drawn(120, seed)
        held += distrust(Scored("binary", rng.permutation(truth), scores)) is not None
    assert held <= 2000 * ALPHA + 5


def test_classes_and_values_are_judged_too():
    rng = np.random.default_rng(3)
    table = rng.dirichlet([0.5, 0.5, 0.5], size=400)
    truth = np.array([rng.choice(3, p=each) for each in table])
    assert distrust(Scored("multiclass", truth, table)) is None
    assert distrust(Scored("multiclass", table.argmin(axis=1), table)) is not None
    assert "class 2" in distrust(Scored("multiclass", np.full(400, 2), table))
    values = rng.normal(50, 10, 400)
    labels = values + rng.normal(0, 5, 400)
    assert distrust(Scored("regression", labels, values), 4.0) is None
    assert distrust(Scored("regression", values + 3 * (labels - values), values), 4.0) is None
    assert "against the order" in distrust(Scored("regression", -labels, values), 4.0)
    assert "other units" in distrust(Scored("regression", labels * 60, values), 4.0)
    assert "all labels are 7" in distrust(Scored("regression", np.full(400, 7.0), values), None)


def test_few_rows_decide_nothing():
    _, scores, truth = drawn(LEAST_ROWS - 1)
    with pytest.raises(Undecidable, match="50 rows"):
        distrust(Scored("binary", 1 - truth, scores))
