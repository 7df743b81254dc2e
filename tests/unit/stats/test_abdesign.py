"""Sizes of comparisons, and what the sequential test will need, without simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.stats.abdesign import (
    Demand,
    Traffic,
    means_design,
    means_size,
    rates_design,
    rates_size,
    requests_to_detect,
    stopping_law,
)
from vitok.stats.group_sequential import LookPlan
from vitok.stats.sequential import ErrorShare


def test_one_percent_against_two_takes_3652_requests():
    assert math.ceil(rates_size(0.01, 0.02, Demand())) == 3652


@pytest.mark.parametrize(("base", "other", "share"), [(0.1, 0.14, 0.5), (0.1, 0.14, 0.2), (0.5, 0.42, 0.8)])
def test_size_gives_the_power_that_it_promises(base, other, share):
    units, rng = math.ceil(rates_size(base, other, Demand(share=share))), np.random.default_rng(1)
    many = round(units * share)
    rates = (
        rng.binomial(many, other, 20_000) / many,
        rng.binomial(units - many, base, 20_000) / (units - many),
    )
    pooled = share * rates[0] + (1 - share) * rates[1]
    error = np.sqrt(pooled * (1 - pooled) * (1 / many + 1 / (units - many)))
    z = np.sign(other - base) * (rates[0] - rates[1]) / error
    assert (z > 1.6449).mean() == pytest.approx(0.8, abs=0.02)


@given(st.floats(0.02, 0.45))
def test_equal_shares_are_nearly_the_cheapest(share):
    sizes = [means_size(1, 0.1, Demand(share=each)) for each in (share, 1 - share, 0.5)]
    assert sizes[0] == pytest.approx(sizes[1])
    assert sizes[0] > sizes[2]


def test_relative_and_absolute_effects_are_one_design():
    traffic = Traffic(units_per_day=1000, label_delay_days=2)
    one = rates_design(0.1, Demand(share=0.1), traffic, relative=0.2)
    assert one == rates_design(0.1, Demand(share=0.1), traffic, absolute=0.02)
    assert one.champion == pytest.approx(9 * one.challenger, abs=9)
    assert one.days == pytest.approx(one.units / 1000 + 2)


def test_looks_cost_their_inflation():
    looks = LookPlan.even(5, 0.05, "pocock")
    plain, looked = (means_design(2.0, 0.1, Demand(), Traffic(500), looks=each) for each in (None, looks))
    assert looked.units / plain.units == pytest.approx(looks.inflation(0.8), rel=1e-3)


def test_what_cannot_be_found_is_refused():
    for arguments in ({}, {"relative": 0.1, "absolute": 0.1}):
        with pytest.raises(ValueError, match="either relative"):
            rates_design(0.1, Demand(), Traffic(10), **arguments)
    for base, other in ((0.1, 0.1), (0.6, 1.2)):
        with pytest.raises(ValueError, match="no difference that a test"):
            rates_size(base, other, Demand())
    with pytest.raises(ValueError, match="no sample size"):
        means_size(1.0, 0.0, Demand())


@pytest.mark.parametrize(("ratio", "share"), [(1.0, 0.1), (2.0, 0.5), (3.0, 0.1)])
def test_exact_law_of_stopping_agrees_with_simulation(ratio, share):
    rng, test = np.random.default_rng(2), ErrorShare.against_at_most()
    law = stopping_law(test, ratio, share, 0.05, 300)
    arms = rng.random((3000, 300)) < ratio * share / (ratio * share + 1 - share)
    is_over = test.path(arms, share) >= math.log(20)
    stops = np.where(is_over.any(axis=1), is_over.argmax(axis=1) + 1, 301)
    for units in (30, 100, 300):
        assert law[:units].sum() == pytest.approx((stops <= units).mean(), abs=0.03)


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
@pytest.mark.parametrize(
    ("test", "boundary"),
    [
        (ErrorShare.against_at_most(), 1.0),
        (ErrorShare.against_at_most(1.5), 1.5),
        (ErrorShare.against_at_least(1.5), 1.5),
    ],
)
def test_exact_chance_of_a_false_alarm_at_the_boundary_is_below_alpha(test, boundary, share):
    chance = stopping_law(test, boundary, share, 0.05, 800).sum()
    assert 0.02 < chance <= 0.05


def test_known_requests_to_detect_and_to_promote():
    """1 % of requests fail; the challenger fails twice as often, or no more often."""
    law = stopping_law(ErrorShare.against_at_most(), 2.0, 0.5, 0.05, 1200)
    assert requests_to_detect(law, 0.01, 2.0, 0.5) == (pytest.approx(4227, abs=1), pytest.approx(1.0))
    law = stopping_law(ErrorShare.against_at_least(1.5), 1.0, 0.1, 0.05, 2000)
    assert np.dot(law, np.arange(1, 2001)) == pytest.approx(386, abs=4)


def test_challenger_that_is_no_worse_is_hardly_ever_found():
    mean, chance = requests_to_detect(
        stopping_law(ErrorShare.against_at_most(), 0.5, 0.1, 1e-9, 3), 0.01, 0.5, 0.1
    )
    assert (mean, chance) == (math.inf, 0.0)
