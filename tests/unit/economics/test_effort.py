"""What curves of value over effort advise: go on, stop, or change the approach."""

import numpy as np
import pytest

from vitok.economics.effort import Rule, advise, decide, sentence
from vitok.stats.shapes import fit_shapes, refits


def advice_on(curve, *, points=16, until=1.0, noise=0.003, needed=0.003, is_met=True, scatter=0.001):
    """The advice on a curve of effort (80 hours are 1) that has been seen up to some effort."""
    e = np.linspace(1 / points, 1, points) * until
    value = 0.7 + 0.1 * curve(e) + np.random.default_rng(0).normal(0, scatter, points)
    fits = fit_shapes(80 * e, value)
    rule = Rule("noise", needed, noise, is_met)
    found = advise(fits, refits(fits, 80 * e, value), 80 * e[0], rule)
    text = sentence(found, fits[0], rule, "roc_auc", lambda hours: f"{hours:.1f} h")
    assert text.endswith(".")
    assert f"{found.agreement:.0%}" in text
    return found, fits[0], text


def test_steady_rise_goes_on():
    found, fit, text = advice_on(lambda e: e)
    assert (found.decision.recommendation, fit.shape) == ("go on", "linear")
    assert found.is_firm
    assert text.startswith("Go on: roc_auc over effort looks like a steady gain (linear")


def test_saturated_curve_stops_and_a_young_one_goes_on():
    assert advice_on(lambda e: 1 - np.exp(-8 * e))[0].decision.recommendation == "stop"
    assert advice_on(lambda e: 1 - np.exp(-1.5 * e))[0].decision.recommendation == "go on"


def test_sigmoid_goes_on_in_its_rise_and_stops_on_its_plateau():
    def curve(e):
        return 1 / (1 + np.exp(-14 * (e - 0.5)))

    assert advice_on(curve)[0].decision.recommendation == "stop"
    assert advice_on(curve, until=0.55)[0].decision.recommendation == "go on"


def test_step_that_is_taken_stops_with_a_gate():
    found, fit, text = advice_on(lambda e: (e >= 0.45) * 1.0)
    assert (found.decision.recommendation, fit.shape) == ("stop", "step")
    assert found.decision.until == pytest.approx(80 * 1.45, rel=0.05)
    assert "gate" in text


def test_fall_is_waited_for_only_if_it_is_nearly_made_good():
    def curve(e):
        return (e - 0.5) ** 2 * 4

    rising = advice_on(curve, until=0.8)
    assert (rising[0].decision.recommendation, rising[1].shape) == ("go on", "U")
    assert rising[0].decision.until == pytest.approx(80, rel=0.1)
    assert advice_on(curve, until=0.6)[0].decision.recommendation == "change approach"


def test_delay_is_waited_out_to_its_plateau():
    def curve(e):
        return np.clip((e - 0.5) / 0.3, 0, 1)

    assert advice_on(curve)[0].decision.recommendation == "stop"
    found, _, _ = advice_on(curve, until=0.7)
    assert found.decision.recommendation == "go on"


def test_effort_that_moved_nothing_asks_for_another_approach_unless_the_gates_are_met():
    assert advice_on(lambda e: 0 * e, is_met=False)[0].decision.recommendation == "change approach"
    assert advice_on(lambda e: 0 * e, is_met=True)[0].decision.recommendation == "stop"


def test_money_decides_where_it_is_known():
    e = np.linspace(0.1, 1, 10)
    fit = fit_shapes(80 * e, 3000 + 500 * e)[0]  # the next fifth brings 100
    assert decide(fit, 8.0, Rule("money", 99.0, 400.0, True)).recommendation == "go on"
    assert decide(fit, 8.0, Rule("money", 101.0, 400.0, True)).recommendation == "stop"


def test_scatter_makes_the_advice_undecided():
    found, _, text = advice_on(lambda e: 0.3 * e, scatter=0.03, needed=0.006, noise=0.006)
    assert found.agreement < 0.9
    assert text.startswith("Undecided") == (not found.is_firm)
