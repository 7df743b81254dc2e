"""Cash flow against textbook cases, and uncertain figures against what can be reckoned by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.economics.cash import Case, appraise, internal_rate, middle, net_present_value, spread

STOPS = Case(150_000.0, 30_000.0, 10_000.0, 20.0, 0.5, 3.0, 0.0)


def test_reference_case_of_prevented_stops():
    result = appraise(STOPS)
    assert result.years == [(1, -80_000.0, -80_000.0), (2, 70_000.0, -10_000.0), (3, 70_000.0, 60_000.0)]
    assert round(result.payback_years, 2) == 2.14
    assert result.npv == 60_000
    assert result.roi == pytest.approx(60 / 240)


@pytest.mark.parametrize(
    ("flows", "rate", "npv", "irr"),
    [
        ([-4000, 2000, 4000], 0.10, 1123.97, 0.2808),  # Brealey, Myers & Allen
        ([-100, 110], 0.05, 4.76, 0.10),
        ([-1000, 0, 0, 0, 2000], 0.10, 366.03, 2 ** (1 / 4) - 1),
        ([-70_000, 12_000, 15_000, 18_000, 21_000, 26_000], 0.0, 22_000, 0.0866),  # a spreadsheet's manual
    ],
)
def test_textbook_flows(flows, rate, npv, irr):
    assert net_present_value(flows, rate) == pytest.approx(npv, abs=0.01)
    assert internal_rate(flows) == pytest.approx(irr, abs=1e-4)


@pytest.mark.parametrize("flows", [[100, 100], [-100, -5], [-100, 300, -250], [0, 0]])
def test_flows_without_one_change_of_sign_have_no_internal_rate(flows):
    assert internal_rate(flows) is None


@given(st.floats(1e3, 1e6), st.floats(1e3, 1e6), st.integers(1, 10))
def test_internal_rate_makes_the_value_zero(build, flow, years):
    flows = [-build, *[flow] * years]
    rate = internal_rate(flows)
    if rate is not None:
        assert net_present_value(flows, rate) == pytest.approx(0, abs=1e-6 * build)


def test_project_that_loses_every_year_never_pays_back():
    result = appraise(replace(STOPS, yearly=120_000.0))
    assert result.payback_years is None
    assert result.irr is None


def test_broken_last_year_counts_in_part():
    result = appraise(replace(STOPS, years=2.5))
    assert [net for _, net, _ in result.years] == [-80_000, 70_000, 35_000]


def test_range_is_reckoned_by_its_middle():
    assert middle((10.0, 20.0)) == 15
    assert middle((10.0, 20.0, 60.0)) == 30
    assert appraise(replace(STOPS, build=(100_000.0, 200_000.0))).npv == 60_000


def test_spread_of_one_even_range_is_the_range():
    found = spread(replace(STOPS, build=(100_000.0, 300_000.0)), seed=1)
    # The value falls evenly from +110 000 to -90 000.
    assert found.loss == pytest.approx(0.45, abs=0.02)
    assert (found.low, found.high) == pytest.approx((-80_000, 100_000), abs=3000)
    assert found.tornado == [("build", 110_000.0, -90_000.0)]


def test_tornado_names_the_widest_first_and_draws_repeat():
    case = replace(STOPS, build=(140_000.0, 160_000.0), prevented=(0.2, 0.5, 0.6))
    one, two = spread(case, seed=3), spread(case, seed=3)
    assert one == two
    assert [name for name, _, _ in one.tornado] == ["prevented", "build"]
    assert spread(case, seed=4).loss == pytest.approx(one.loss, abs=0.02)


def test_mean_of_the_draws_is_the_value_of_the_middles():
    case = replace(STOPS, yearly=(20_000.0, 30_000.0, 40_000.0), discount=0.1)
    found = spread(case, seed=0, draws=200_000)
    assert (found.low + found.high) / 2 == pytest.approx(appraise(case).npv, rel=0.02)


def test_certain_case_has_no_spread():
    assert spread(STOPS) is None
    assert np.isfinite(appraise(STOPS).npv)


def test_case_that_costs_nothing_has_no_return_on_costs():
    assert appraise(replace(STOPS, build=0.0, yearly=0.0)).roi is None
