"""Boundaries against published tables, a bivariate normal and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from vitok.stats.group_sequential import (
    LookPlan,
    crossing,
    even_looks,
    shaped_bounds,
    spending_bounds,
    spent,
)

# Jennison & Turnbull, Group Sequential Methods (2000), tables 2.1 and 2.3: two-sided 5 %.
POCOCK = {2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413, 10: 2.555, 20: 2.672}
OBRIEN_FLEMING = {2: 1.977, 3: 2.004, 4: 2.024, 5: 2.040, 10: 2.087, 20: 2.126}
# Tables 2.2 and 2.4: largest over fixed sample at power 90 %.
INFLATION = {"pocock": {2: 1.100, 5: 1.207, 10: 1.271}, "obrien-fleming": {2: 1.007, 5: 1.026, 10: 1.037}}


@pytest.mark.parametrize(("shape", "table"), [("pocock", POCOCK), ("obrien-fleming", OBRIEN_FLEMING)])
@pytest.mark.parametrize("looks", sorted(POCOCK))
def test_constants_are_the_published_ones(shape, table, looks):
    bounds = shaped_bounds(even_looks(looks), 0.05, shape, is_two_sided=True)
    assert bounds[-1] == pytest.approx(table[looks], abs=0.0006)
    first = bounds[-1] * (math.sqrt(looks) if shape == "obrien-fleming" else 1)
    assert bounds[0] == pytest.approx(first)


@pytest.mark.parametrize("shape", sorted(INFLATION))
@pytest.mark.parametrize("looks", [2, 5, 10])
def test_inflation_is_the_published_one(shape, looks):
    assert LookPlan.even(looks, 0.025, shape).inflation(0.9) == pytest.approx(
        INFLATION[shape][looks], abs=0.0012
    )


def test_spending_bounds_are_the_published_ones():
    """Five even looks at one-sided 2.5 %, as in Lan & DeMets' own example and programs since."""
    like_obrien_fleming = spending_bounds(even_looks(5), 0.025, "obrien-fleming")
    assert like_obrien_fleming == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4)
    like_pocock = spending_bounds(even_looks(5), 0.025, "pocock")
    assert like_pocock == pytest.approx([2.4380, 2.4268, 2.4101, 2.3966, 2.3859], abs=2e-4)


@given(st.floats(0.05, 0.95), st.floats(-0.5, 3), st.floats(-0.5, 3), st.floats(-1, 4))
def test_two_looks_agree_with_the_bivariate_normal(share, first, second, drift):
    found = crossing([share, 1.0], [first, second], drift)
    correlation = math.sqrt(share)
    law = multivariate_normal([drift * correlation, drift], [[1, correlation], [correlation, 1]])
    assert 1 - found.sum() == pytest.approx(float(law.cdf([first, second])), abs=2e-6)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.floats(0.02, 0.3), min_size=1, max_size=6),
    st.sampled_from(["pocock", "obrien-fleming"]),
    st.floats(0.005, 0.1),
)
def test_uneven_looks_spend_exactly_alpha(steps, shape, alpha):
    shares = [*(np.cumsum(steps) / (sum(steps) + 0.1)).tolist(), 1.0]
    bounds = spending_bounds(shares, alpha, shape)
    assert crossing(shares, bounds).sum() == pytest.approx(alpha, rel=1e-3)
    assert spending_bounds(shares[:1], alpha, shape) == pytest.approx(bounds[:1])


def test_spending_begins_at_nothing_and_ends_at_alpha():
    for shape in ("pocock", "obrien-fleming"):
        path = [spent(share, 0.05, shape) for share in np.linspace(0, 1.2, 25)]
        assert path[0] == 0
        assert path[-1] == pytest.approx(0.05)
        assert np.all(np.diff(path) >= 0)


def test_crossing_agrees_with_simulation():
    shares, bounds, drift = (0.2, 0.5, 0.6, 1.0), (2.5, 2.2, 2.1, 1.9), 2.0
    steps = np.diff([0.0, *shares])
    walk = np.cumsum(
        np.random.default_rng(1).normal(drift * steps, np.sqrt(steps), (200_000, 4)), axis=1
    ) / np.sqrt(shares)
    is_over = walk >= bounds
    first = np.where(is_over.any(axis=1), is_over.argmax(axis=1), 9)
    assert crossing(shares, bounds, drift) == pytest.approx(
        np.bincount(first, minlength=4)[:4] / 2e5, abs=0.003
    )


def test_plan_says_its_power_its_expected_size_and_whether_it_is_over():
    plan = LookPlan.even(10, 0.05, "pocock")
    assert plan.power(0.0) == pytest.approx(0.05, abs=1e-6)
    drift = math.sqrt(plan.inflation(0.8)) * (1.6449 + 0.8416)
    assert plan.power(drift) == pytest.approx(0.8, abs=1e-3)
    assert plan.expected_share(drift) < 0.65 < plan.expected_share(0.0) < 1
    assert not plan.crossed([1.0, 2.0])
    assert plan.crossed([1.0, 3.0, 0.0])
