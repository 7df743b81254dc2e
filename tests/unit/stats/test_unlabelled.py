import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from vitok.stats.density_ratio import density_ratio
from vitok.stats.estimates import estimate
from vitok.stats.scores import Scored, Undecidable
from vitok.stats.unlabelled import (
    Answers,
    Calibration,
    _pr_auc,
    _roc_auc,
    estimate_unlabelled,
    fit_calibration,
)

COSTS = (5.0, -1.0, -3.0, 0.0)
METRICS = ["accuracy", "precision", "recall", "f1", "specificity", "roc_auc", "pr_auc"]
METRICS += ["brier", "log_loss", "profit_per_1000"]


def drawn(rng, rows, shift):
    """Overconfident scores that say all that is to be known of a label."""
    x = rng.normal(shift, 1, rows)
    truth = (rng.random(rows) < 1 / (1 + np.exp(1 - 0.8 * x))).astype(int)
    return truth, 1 / (1 + np.exp(1.4 - 2.2 * x))


def realised(metric, scored):
    if metric == "specificity":
        negative = scored.truth == 0
        return float((scored.decisions[negative] == 0).mean())
    return estimate(metric, scored).value


def test_intervals_hold_the_realised_figure_as_often_as_they_say_under_covariate_shift():
    rng, rounds = np.random.default_rng(4), 250
    held, missed = dict.fromkeys(METRICS, 0), {metric: [] for metric in METRICS}
    for number in range(rounds):
        calibration = fit_calibration(Scored("binary", *drawn(rng, (500, 3000)[number % 2], 0)))
        truth, scores = drawn(rng, 1000, 0.7)
        scored = Scored("binary", truth, scores, (scores > 0.5).astype(int), COSTS)
        for metric in METRICS:
            found = estimate_unlabelled(
                metric, calibration, Answers("binary", scores, scored.decisions, COSTS)
            )
            value = realised(metric, scored)
            held[metric] += found.low <= value <= found.high
            missed[metric].append(found.value - value)
    for metric in METRICS:
        assert 0.85 < held[metric] / rounds < 0.95, metric
        assert abs(np.mean(missed[metric])) < 0.35 * np.std(missed[metric]), metric


def test_calibration_error_is_that_of_many_calibrations():
    rng = np.random.default_rng(5)
    _, scores = drawn(rng, 2000, 0.7)
    answers = Answers("binary", scores, (scores > 0.5).astype(int))
    values, said = [], []
    for _ in range(150):
        calibration = fit_calibration(Scored("binary", *drawn(rng, 1500, 0)))
        values.append(estimate_unlabelled("accuracy", calibration, answers).value)
        said.append(calibration.error(scores, np.where(scores > 0.5, 1, -1) / len(scores)))
    assert np.sqrt(np.mean(said)) == pytest.approx(np.std(values), rel=0.2)


def shifted(rng, rows, shift, gap=0.0):
    """Four columns of which one moves; a gap changes what they mean (concept drift)."""
    x = rng.normal(size=(rows, 4))
    x[:, 0] += shift
    z = x[:, 0] + 0.7 * x[:, 1] * x[:, 2] - 0.5 - gap * x[:, 1]
    return x, (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(int)


def test_methods_are_ordered_under_covariate_shift_and_all_fail_under_concept_drift():
    """An overconfident tree: raw confidence, then the reference's figure carried on, CBPE, reweighted."""
    rng, missed, held = np.random.default_rng(1), {}, []
    for seed in range(6):
        x, y = shifted(rng, 4000, 0)
        tree = DecisionTreeClassifier(min_samples_leaf=8, random_state=0).fit(x, y)
        then, truth = shifted(rng, 10_000, 0)
        scores = tree.predict_proba(then)[:, 1]
        reference = Scored("binary", truth, scores, (scores >= 0.5).astype(int))
        right = reference.decisions == truth
        for shift, gap in ((-0.5, 0.0), (0.5, 0.0), (0.0, 3.0)):
            now, labels = shifted(rng, 10_000, shift, gap)
            today = tree.predict_proba(now)[:, 1]
            answers = Answers("binary", today, (today >= 0.5).astype(int))
            real = (answers.decisions == labels).mean()
            weights = density_ratio(np.c_[then, scores], np.c_[now, today], seed=seed)
            reweighted = estimate_unlabelled("accuracy", fit_calibration(reference, weights), answers)
            plain = estimate_unlabelled("accuracy", fit_calibration(reference), answers)
            found = {
                "raw": np.maximum(today, 1 - today).mean(),
                "reference": right.mean(),
                "cbpe": plain.value,
                "weighted": np.average(right, weights=weights),
                "reweighted": reweighted.value,
            }
            for name, value in found.items():
                missed.setdefault((name, gap > 0), []).append(abs(value - real))
            if not gap:
                held.append(reweighted.low <= real <= reweighted.high)
    mean = {name: np.mean(errors) for name, errors in missed.items()}
    assert mean["raw", False] > 0.10
    assert 0.01 < mean["reference", False] < 0.03
    assert mean["cbpe", False] < 0.75 * mean["reference", False]
    assert mean["reweighted", False] < 0.75 * mean["cbpe", False]
    assert mean["reweighted", False] == pytest.approx(mean["weighted", False], abs=0.003)
    assert np.mean(held) > 0.7
    assert min(mean["cbpe", True], mean["reweighted", True]) > 0.05


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_expected_ranking_figures_are_means_over_all_labellings(seed, rows):
    rng = np.random.default_rng(seed)
    scores, chance = rng.integers(1, 5, 40) / 5, rng.uniform(0.3, 0.7, 40)
    value, slopes, _ = _roc_auc(scores, chance)
    order = np.sign(scores[:, None] - scores[None, :]) / 2 + 0.5
    pairs = np.outer(chance, 1 - chance)
    np.fill_diagonal(pairs, 0.0)
    assert value == pytest.approx(float((order * pairs).sum() / pairs.sum()))
    step = np.zeros(40)
    step[rows] = 1e-6
    for figure in (_roc_auc, _pr_auc):
        value, slopes, _ = figure(scores, chance)
        moved = (figure(scores, chance + step)[0] - figure(scores, chance - step)[0]) / 2e-6
        assert slopes[rows] == pytest.approx(moved, abs=1e-6)


def test_certain_chances_give_the_figures_of_labels():
    rng = np.random.default_rng(0)
    scores = rng.random(300)
    truth = (rng.random(300) < scores).astype(float)
    assert _roc_auc(scores, truth)[0] == pytest.approx(roc_auc_score(truth, scores))
    assert _pr_auc(scores, truth)[0] == pytest.approx(average_precision_score(truth, scores))


def test_calibration_survives_json_and_is_small():
    calibration = fit_calibration(Scored("binary", *drawn(np.random.default_rng(2), 4000, 0)))
    text = json.dumps(calibration.to_json())
    again = Calibration.from_json(json.loads(text))
    assert len(text) < 8000
    scores = np.linspace(0, 1, 101)
    assert np.array_equal(again.apply(scores), calibration.apply(scores))
    assert again.error(scores, scores) == pytest.approx(calibration.error(scores, scores), rel=1e-4)


def test_few_distinct_scores_get_the_shares_that_were_seen():
    rng = np.random.default_rng(3)
    scores = rng.choice([0.0, 0.3, 0.9, 1.0], 8000)
    truth = (rng.random(8000) < 0.2 + 0.5 * scores).astype(int)
    calibration = fit_calibration(Scored("binary", truth, scores))
    for each in np.unique(scores):
        assert calibration.apply(np.array([each]))[0] == pytest.approx(truth[scores == each].mean(), abs=0.01)


def test_rank_of_scores_need_not_be_right():
    rng = np.random.default_rng(3)
    scores = rng.random(8000)
    truth = (rng.random(8000) < 0.9 - 0.8 * scores).astype(int)
    answers = Answers("binary", scores, (scores > 0.5).astype(int))
    found = estimate_unlabelled("roc_auc", fit_calibration(Scored("binary", truth, scores)), answers)
    assert found.value == pytest.approx(roc_auc_score(truth, scores), abs=0.01)


def test_rows_that_never_come_true_leave_all_finite():
    scores = np.linspace(0.01, 0.99, 3000)
    calibration = fit_calibration(Scored("binary", (rankdata(scores) > 1500).astype(int), scores))
    found = calibration.apply(scores)
    assert np.isfinite(found).all()
    assert found[:1400].max() < 0.01
    assert found[1600:].min() > 0.99


def test_accuracy_of_several_classes_is_estimated():
    rows, labels = load_digits(return_X_y=True)
    noisy = rows + np.random.default_rng(0).normal(0, 8, rows.shape)
    model = LogisticRegression(max_iter=2000, C=0.01).fit(noisy[:600] / 16, labels[:600])
    scores = model.predict_proba(noisy[600:] / 16)
    calibration = fit_calibration(Scored("multiclass", labels[600:1200], scores[:600]))
    found = estimate_unlabelled("accuracy", calibration, Answers("multiclass", scores[600:]))
    assert found.low <= (scores[600:].argmax(axis=1) == labels[1200:]).mean() <= found.high
    with pytest.raises(Undecidable, match="f1_macro of several classes"):
        estimate_unlabelled("f1_macro", calibration, Answers("multiclass", scores[600:]))


GOOD = np.linspace(0.05, 0.95, 400)
TRUTH = np.arange(400) % 2


@pytest.mark.parametrize(
    ("truth", "scores", "message"),
    [
        (TRUTH[:0], GOOD[:0], "0 reference rows are too few, 300 are needed"),
        (TRUTH[:1], GOOD[:1], "1 reference rows are too few"),
        (TRUTH * 0, GOOD, "only one class among 400"),
        (TRUTH, GOOD * 0 + 0.3, "all 400 scores are the same"),
        (TRUTH, np.where(GOOD > 0.9, np.nan, GOOD), "missing or infinite scores"),
        (TRUTH, GOOD * 2, "are no probabilities"),
    ],
)
def test_reference_that_cannot_calibrate_says_why(truth, scores, message):
    with pytest.raises(Undecidable, match=message):
        fit_calibration(Scored("binary", truth, scores))


@pytest.mark.parametrize(
    ("metric", "scores", "message"),
    [
        ("accuracy", GOOD[:0], "no rows"),
        ("accuracy", GOOD[:1], "1 rows are too few"),
        ("accuracy", GOOD * 0 + 0.3, "all 400 scores are the same"),
        ("accuracy", np.where(GOOD > 0.9, np.nan, GOOD), "missing or infinite scores"),
        ("accuracy", GOOD - 0.5, "are no probabilities"),
        ("precision", GOOD / 3, "only 0.0 rows are expected to decide precision"),
        ("calibration_error", GOOD, "calibration_error cannot be estimated without labels"),
        ("profit_per_1000", GOOD, "no costs are stated"),
    ],
)
def test_window_that_cannot_be_judged_says_why(metric, scores, message):
    calibration = fit_calibration(Scored("binary", TRUTH, GOOD))
    with pytest.raises(Undecidable, match=message):
        estimate_unlabelled(metric, calibration, Answers("binary", scores, (scores > 0.5).astype(int)))


def test_weights_that_leave_too_few_rows_are_refused():
    with pytest.raises(Undecidable, match="worth 20, 300 are needed"):
        fit_calibration(Scored("binary", TRUTH, GOOD), np.where(np.arange(400) < 20, 1.0, 0.0))
    with pytest.raises(Undecidable, match="weights must be finite"):
        fit_calibration(Scored("binary", TRUTH, GOOD), np.full(400, np.nan))
    with pytest.raises(Undecidable, match="regression has no probabilities"):
        fit_calibration(Scored("regression", TRUTH, GOOD))
