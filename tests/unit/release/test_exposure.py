"""Proposals of a first share and an alpha: their figures by simulation, their order, and what moves them."""

import numpy as np
import pytest

from vitok.release.exposure import ALPHAS, SHARES, Stakes, offer, offers
from vitok.stats.sequential import ErrorShare

USUAL = Stakes(base=0.02, ratio=3.0, chance=0.1, error_cost=10.0, rollback_cost=500.0, requests=6000.0)


def changed(**changes: float) -> Stakes:
    values = {name: getattr(USUAL, name) for name in USUAL.__struct_fields__}
    return Stakes(**(values | changes))


def simulated(
    stakes: Stakes, share: float, alpha: float, ratio: float, runs: int = 2000
) -> tuple[float, float]:
    """Share of the runs that end early, and mean money lost by excess failures, request by request."""
    rng, requests = np.random.default_rng(1), int(stakes.requests or 0)
    ends, lost = 0, 0.0
    for _ in range(runs):
        arm = rng.random(requests) < share
        fails = rng.random(requests) < np.where(arm, stakes.base * ratio, stakes.base)
        when = np.flatnonzero(fails)
        crossed = ErrorShare.against_at_most().path(arm[when], share) >= -np.log(alpha)
        stop = when[crossed.argmax()] + 1 if crossed.any() else requests
        ends += bool(crossed.any())
        lost += stop * share * stakes.base * (ratio - 1) * stakes.error_cost
    return ends / runs, lost / runs


@pytest.mark.parametrize(("share", "alpha"), [(0.1, 0.05), (0.5, 0.01)])
def test_figures_are_those_of_a_simulation(share, alpha):
    found = offer(USUAL, share, alpha)
    ends, lost = simulated(USUAL, share, alpha, USUAL.ratio)
    assert found.finds == pytest.approx(ends, abs=0.03)
    assert found.harm == pytest.approx(lost, rel=0.06)
    assert found.false_rollback == pytest.approx(simulated(USUAL, share, alpha, 1.0)[0], abs=0.012)
    assert found.false_rollback <= alpha
    assert found.cost == pytest.approx(0.1 * found.harm + 0.9 * found.false_rollback * 500)


def test_first_offer_is_the_cheapest_of_those_in_time():
    found = offers(USUAL)
    assert len(found) == len(SHARES) * len(ALPHAS)
    in_time = [each for each in found if each.is_in_time]
    assert found[0].cost == min(each.cost for each in in_time)
    assert any(
        each.cost < found[0].cost for each in found
    )  # too slow ones look cheap: nothing has happened yet


def test_dearer_rollbacks_want_a_smaller_alpha_and_dearer_errors_a_larger_one():
    alphas = [offers(changed(rollback_cost=cost))[0].alpha for cost in (5.0, 500.0, 50_000.0)]
    assert alphas == sorted(alphas, reverse=True)
    assert alphas[0] > alphas[-1]
    alphas = [offers(changed(error_cost=cost, rollback_cost=5000.0))[0].alpha for cost in (0.1, 10.0, 1000.0)]
    assert alphas == sorted(alphas)
    assert alphas[0] < alphas[-1]


def test_more_traffic_allows_a_smaller_share():
    shares = [offers(changed(requests=requests))[0].share for requests in (2500.0, 6000.0, 60_000.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]


@pytest.mark.parametrize("alpha", ALPHAS)
def test_harm_falls_with_alpha_and_false_rollbacks_rise(alpha):
    one, other = offer(USUAL, 0.1, alpha), offer(USUAL, 0.1, 1.5 * alpha)
    assert one.harm >= other.harm
    assert one.false_rollback <= other.false_rollback
    assert one.finds <= other.finds


def test_more_limits_leave_less_alpha_to_each():
    one, many = offer(USUAL, 0.1, 0.05), offer(changed(limits=4), 0.1, 0.05)
    assert many.harm > one.harm
    assert many.false_rollback <= 0.05


def test_nothing_is_in_time_without_enough_requests():
    assert not offers(changed(requests=50.0))[0].is_in_time


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"base": 0.0}, "no bad version"),
        ({"ratio": 1.0}, "no bad version"),
        ({"ratio": 51.0}, "no bad version"),
        ({"chance": 0.0}, "no chance"),
        ({"error_cost": 0.0}, "costs nothing"),
    ],
)
def test_figures_out_of_range_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        changed(**changes)
