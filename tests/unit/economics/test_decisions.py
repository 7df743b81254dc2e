"""The profit curve against brute force, and the price of errors against a perfect model, on scikit-learn's tumours."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from vitok.charter.model import Costs
from vitok.economics.decisions import CURVE_POINTS, error_costs, policies, profit_curve
from vitok.economics.value import decisions_value
from vitok.stats.estimates import estimate
from vitok.stats.scores import Scored, Undecidable

COSTS = (40.0, -10.0, -60.0, 2.0)


@pytest.fixture(scope="module")
def tumours():
    """Malignant or not, scored by the rank of one measurement: a fair model with real errors."""
    data = load_breast_cancer()
    texture = data.data[:, 1]
    scores = np.argsort(np.argsort(texture)) / len(texture)
    return Scored("binary", 1 - data.target, scores, (scores >= 0.4).astype(np.int64), COSTS)


def brute(scored, flagged):
    money = decisions_value(scored.truth, flagged.astype(int), Costs(tp=40, fp=-10, fn=-60, tn=2))
    return 1000 * money / scored.rows


def test_profit_curve_is_what_counting_gives(tumours):
    curve = profit_curve(tumours)
    assert len(curve) <= CURVE_POINTS
    thresholds = [cut for cut, _, _ in curve]
    assert thresholds == sorted(thresholds)
    for cut, profit, flagged in curve:
        chosen = tumours.scores >= cut
        assert profit == pytest.approx(brute(tumours, chosen))
        assert flagged == pytest.approx(1000 * chosen.mean())


def test_policies_are_what_counting_gives(tumours):
    found = policies(tumours, 0.4)
    truth = tumours.truth == 1
    for name, flagged in (
        ("used", tumours.scores >= 0.4),
        ("flag_nobody", np.zeros_like(truth)),
        ("flag_everybody", np.ones_like(truth)),
        ("perfect", truth),
        ("elkan", tumours.scores >= 12 / 112),  # (tn - fp) / ((tn - fp) + (tp - fn))
    ):
        profit = found[name].profit
        assert profit.value == pytest.approx(brute(tumours, flagged)), name
        assert profit.low <= profit.value <= profit.high
    best = max(brute(tumours, tumours.scores >= cut) for cut in np.unique(tumours.scores))
    assert found["best"].profit.value == pytest.approx(best)
    assert found["best"].profit.value >= max(profit for _, profit, _ in profit_curve(tumours))


def test_errors_cost_what_a_perfect_model_would_earn_more(tumours):
    errors, found = error_costs(tumours), policies(tumours, 0.4)
    assert errors.total.value == pytest.approx(errors.false_positives.value + errors.false_negatives.value)
    assert errors.total.value == pytest.approx(found["perfect"].profit.value - found["used"].profit.value)
    constant = max(found["flag_nobody"].profit.value, found["flag_everybody"].profit.value)
    assert errors.best_constant == "flag everybody"
    assert errors.over_constant.value == pytest.approx(found["used"].profit.value - constant)
    assert errors.total.low < errors.total.value < errors.total.high
    assert estimate("profit_per_1000", tumours).value == pytest.approx(found["used"].profit.value)


def test_model_without_errors_still_has_an_honest_bound(tumours):
    errors = error_costs(replace(tumours, decisions=tumours.truth))
    assert (errors.total.value, errors.total.low) == (0, 0)
    assert 0 < errors.total.high == pytest.approx(errors.false_negatives.high)


def test_model_that_is_always_wrong_can_be_priced(tumours):
    errors = error_costs(replace(tumours, decisions=1 - tumours.truth))
    assert errors.total.value == pytest.approx(errors.false_positives.value + errors.false_negatives.value)


def test_rows_or_costs_that_tell_nothing_are_refused(tumours):
    with pytest.raises(Undecidable):
        profit_curve(replace(tumours, costs=None))
    with pytest.raises(Undecidable):
        policies(tumours.take(tumours.truth == 1), 0.4)
    with pytest.raises(Undecidable):
        error_costs(replace(tumours, costs=(-60.0, -10.0, 40.0, 2.0)))
