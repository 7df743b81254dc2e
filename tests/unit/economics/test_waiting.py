"""Waiting for rows: gains, money and the advice that follows."""

import numpy as np
import pytest

from vitok.economics.waiting import Range, advise, reckon

MONTHS = (1.0, 3.0, 6.0)


def waits(gain, *, noise=0.01, profit=None, present=1000.0, spread=0.1, now=10_000.0):
    """Options whose gains scatter by a tenth around the figures given."""
    rng = np.random.default_rng(0)

    def draws(figures):
        middle = np.array(figures)
        return middle, middle * (1 + spread * rng.standard_normal((500, 3)))

    money = None
    if profit is not None:
        money = (*draws(profit), Range(present, 0.9 * present, 1.1 * present), 120_000.0)
    return reckon(MONTHS, now + 10_000.0 * np.array(MONTHS), now, draws(gain), noise, money)


def test_delay_costs_what_the_version_earns_in_that_time():
    month, quarter, half = waits([0.001, 0.002, 0.003], profit=[10.0, 20, 30])
    assert (month.delay.value, quarter.delay.value, half.delay.value) == pytest.approx(
        (10_000, 30_000, 60_000)
    )
    assert month.worth.value == pytest.approx(10 * 120)
    assert month.worth.low < month.worth.value < month.worth.high
    assert month.pays == 0


def test_only_more_than_four_times_the_rows_is_called_far():
    assert [wait.is_far for wait in waits([0.1, 0.1, 0.1])] == [False, False, True]


def test_small_gain_is_not_worth_a_delay():
    options = waits([0.001, 0.002, 0.003], profit=[10.0, 20, 30])
    advice = advise(options, "roc_auc", 0.01, earns=False, version=2)
    assert advice.recommendation == "do not wait"
    assert "version 2" in advice.sentence
    assert "0% of the draws" in advice.sentence


def test_gain_that_pays_for_the_delay_is_waited_for():
    options = waits([0.01, 0.02, 0.03], profit=[500.0, 900, 950])
    advice = advise(options, "roc_auc", 0.01, earns=False, version=2)
    assert (advice.recommendation, advice.months) == ("wait", 3)


@pytest.mark.parametrize("earns", [True, False])
def test_without_a_price_the_gain_must_be_visible(earns):
    seen = advise(waits([0.001, 0.02, 0.03]), "roc_auc", 0.01, earns=earns, version=2)
    assert (seen.recommendation, seen.months) == ("wait", 3)
    hidden = advise(waits([0.001, 0.002, 0.003]), "roc_auc", 0.01, earns=earns, version=2)
    assert hidden.recommendation == "do not wait"
    assert hidden.sentence.count(".") - hidden.sentence.count("0.") == 1
    assert "a guess" in hidden.sentence


def test_version_in_production_earns_meanwhile_so_that_delay_is_free():
    options = waits([0.02, 0.03, 0.04], profit=[10.0, 20, 30])
    advice = advise(options, "roc_auc", 0.01, earns=True, version=2)
    assert (advice.recommendation, advice.months) == ("wait", 1)
    assert "keep version 2" in advice.sentence
