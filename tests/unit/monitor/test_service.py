from datetime import timedelta

import numpy as np
import pytest

from vitok.monitor.service import budget_of, mean_time, service_figures
from vitok.stats.latency import BOUNDS, bound_within, bucket_quantile

MONTH = timedelta(days=30)


def test_figures_of_a_period():
    actions = ["model"] * 90 + ["fallback"] * 3 + ["default"] * 2 + ["hand_over"] * 4 + ["failed"]
    micros = np.array([1000.0] * 98 + [9000.0, np.nan])
    found = service_figures(actions, micros, timedelta(seconds=50))
    assert (found.rows, found.per_second) == (100, 2.0)
    assert (found.failed, found.fallback, found.handed_over) == (0.01, 0.05, 0.04)
    assert found.latency_ms == pytest.approx(np.quantile(micros[:99], (0.5, 0.95, 0.99)) / 1000)


def test_a_period_without_rows_has_no_shares():
    found = service_figures([], np.array([]), timedelta(days=1))
    assert (found.rows, found.per_second, found.latency_ms, found.failed) == (0, 0.0, None, None)
    budget = budget_of(np.array([]), np.array([], dtype=bool), 0.99, MONTH)
    assert (budget.total, budget.left) == (0, 1.0)
    assert not any(burn.is_too_fast for burn in budget.burns)


def ages(hours, every_seconds=60):
    return np.arange(0, hours * 3600, every_seconds, dtype=float)


def test_budget_is_used_up_when_as_much_was_missed_as_allowed():
    seconds = np.linspace(0, MONTH.total_seconds(), 10_000)
    budget = budget_of(seconds, np.arange(10_000) % 100 == 0, 0.99, MONTH)
    assert budget.bad == 100
    assert budget.left == pytest.approx(0)
    assert budget_of(seconds, np.ones(10_000, dtype=bool), 0.99, MONTH).left == pytest.approx(-99)


def test_rows_older_than_the_period_do_not_count():
    seconds = np.array([10.0, 31 * 86400.0])
    assert budget_of(seconds, np.array([False, True]), 0.99, MONTH).bad == 0


@pytest.mark.parametrize(
    ("share_bad", "too_fast"),
    [
        (0.2, [True, True, True]),
        (0.1, [False, True, True]),
        (0.02, [False, False, True]),
        (0.005, [False] * 3),
    ],
)
def test_burn_rules_of_the_workbook(share_bad, too_fast):
    seconds = ages(80, 10)
    bad = np.arange(seconds.size) % round(1 / share_bad) == 0
    budget = budget_of(seconds, bad, 0.99, MONTH)
    assert [round(burn.limit, 6) for burn in budget.burns] == [14.4, 6, 1]
    assert [burn.is_too_fast for burn in budget.burns] == too_fast


def test_trouble_that_is_over_burns_no_more():
    seconds = ages(80, 10)
    budget = budget_of(seconds, (seconds > 3600) & (seconds < 7200), 0.99, MONTH)
    assert budget.burns[1].long_rate > budget.burns[1].limit
    assert not budget.burns[1].is_too_fast


def test_mean_times_count_no_clock_that_was_set_back():
    hour = timedelta(hours=1)
    assert mean_time([]) is None
    assert mean_time([hour, 3 * hour]) == 2 * hour
    assert mean_time([-hour, hour]) == hour / 2


def test_quantile_of_buckets():
    nothing = [0] * (len(BOUNDS) + 1)
    assert bucket_quantile(nothing, 0.5) is None
    assert bucket_quantile([*nothing[:-1], 5], 0.5) == BOUNDS[-1]
    assert bucket_quantile([10, *nothing[1:]], 1.0) == BOUNDS[0]
    assert bound_within(60) == 10.0
