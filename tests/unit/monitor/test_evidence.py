"""Evidence through time: the budget is held, changes are seen, alarms end."""

from datetime import timedelta

import numpy as np
import pytest

from vitok.monitor.evidence import PARTS, Watch, limits, renewed, weigh
from vitok.stats.edetectors import normal_e_value

DAY = timedelta(days=1)


def _evidence(figures: np.ndarray) -> dict[str, float]:
    return {f"x{place}": normal_e_value(float(z), 1.0) for place, z in enumerate(figures)}


def test_the_families_divide_the_budget() -> None:
    assert sum(PARTS.values()) == pytest.approx(1.0)
    found = limits((1, timedelta(days=90)), DAY)
    assert sum(1 / each for each in found.values()) == pytest.approx(1 / 90)
    assert limits((4, timedelta(days=90)), timedelta(hours=1))["quality"] == pytest.approx(90 * 24 / 4 / 0.3)


def test_families_of_correlated_members_hold_the_budget_over_many_years() -> None:
    rng, limit, cries, windows = np.random.default_rng(5), 90 / 0.2, 0, 0
    for _ in range(15):
        state, common = Watch(), rng.standard_normal(365)
        for day in range(365):
            z = 0.7 * common[day] + 0.71 * rng.standard_normal(10)
            state, verdict = weigh(state, _evidence(z), limit)
            cries += verdict is not None and verdict.cries
            windows += 1
    assert cries <= 2 * windows / limit  # the mean is far below; so few years say no more


def test_a_change_is_seen_named_and_dated() -> None:
    rng, state, found = np.random.default_rng(6), Watch(), []
    for day in range(60):
        z = rng.standard_normal(10) - 1
        z[3] += 4.5 * (day >= 40)
        state, verdict = weigh(state, _evidence(z), 450)
        if verdict is not None and verdict.cries:
            found.append((day, verdict))
    assert len(found) == 1
    day, verdict = found[0]
    assert 40 <= day <= 46
    assert verdict.named == ("x3",)
    assert 40 <= day - verdict.windows + 1 <= 41


def test_a_large_change_cries_at_once() -> None:
    _, verdict = weigh(Watch(), {"temp": normal_e_value(12, 1.0), **_evidence(np.zeros(40))}, 450)
    assert verdict is not None
    assert verdict.cries
    assert verdict.named == ("temp",)


def test_an_alarm_holds_through_a_calm_day_and_ends_when_evidence_is_gone() -> None:
    state, verdict = weigh(Watch(), {"score": 1e6}, 450)
    holds, levels = [], []
    for e_value in (0.3, 50.0, 0.3, 0.2, 0.2, 0.1, 0.1):
        state, verdict = weigh(state, {"score": e_value}, 450)
        assert verdict is not None
        holds.append(verdict.holds)
        levels.append(state.held)
        assert not verdict.cries
    assert holds == [True, True, True, True, True, False, False]
    assert max(levels) <= 450
    assert weigh(state, {"score": 1e6}, 450)[1].cries  # type: ignore[union-attr]


def test_nothing_judged_changes_nothing_and_another_version_begins_anew() -> None:
    state, _ = weigh(Watch(), {"score": 20.0}, 450)
    assert weigh(state, {}, 450) == (state, None)
    assert renewed(state) == Watch()
    crying, _ = weigh(Watch(), {"score": 1e6}, 450)
    after, verdict = weigh(renewed(crying), {"score": 0.9}, 450)
    assert verdict is not None
    assert not verdict.holds
    assert after == Watch()


def test_the_state_is_json_and_comes_back() -> None:
    state, _ = weigh(Watch(), {"a": 3.0, "b": 0.2}, 450)
    assert Watch.from_json(state.as_json()) == state
