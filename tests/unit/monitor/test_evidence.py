"""Evidence through time: the budget is held, changes are seen, alarms end."""

from datetime import timedelta

import numpy as np
import pytest

from vitok.monitor.evidence import PARTS, Watch, limits, renewed, weigh
from vitok.stats.edetectors import CERTAIN, SLOPES, EValues, normal_e_values

DAY = timedelta(days=1)


def _evidence(figures: np.ndarray) -> dict[str, EValues]:
    return {f"x{place}": normal_e_values(float(z), 1.0) for place, z in enumerate(figures)}


def _alike(e_value: float) -> EValues:
    return (e_value,) * len(SLOPES)


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
    _, verdict = weigh(Watch(), {"temp": normal_e_values(12, 1.0), **_evidence(np.zeros(40))}, 450)
    assert verdict is not None
    assert verdict.cries
    assert verdict.named == ("temp",)


def test_a_moderate_change_of_one_member_among_many_gathers() -> None:
    """A mean over members in each window would thin the evidence of the one that moved out again every day."""
    rng, found = np.random.default_rng(8), []
    for _ in range(20):
        state, day, verdict = Watch(), 0, None
        while verdict is None or not verdict.cries:
            z = rng.standard_normal(10) - 1
            z[3] += 2.0
            state, verdict = weigh(state, _evidence(z), 450)
            day += 1
        found.append(day)
    assert np.median(found) <= 25


def test_an_alarm_holds_through_a_calm_day_and_ends_when_evidence_is_gone() -> None:
    state, verdict = weigh(Watch(), {"score": CERTAIN}, 450)
    holds, levels = [], []
    for e_value in (0.3, 50.0, 0.3, 0.2, 0.2, 0.1, 0.1):
        state, verdict = weigh(state, {"score": _alike(e_value)}, 450)
        assert verdict is not None
        holds.append(verdict.holds)
        levels.append(state.held.get("score", 0.0))
        assert not verdict.cries
    assert holds == [True, True, True, True, True, False, False]
    assert max(levels) <= 450
    assert weigh(state, {"score": CERTAIN}, 450)[1].cries  # type: ignore[union-attr]


def test_who_moves_later_joins_an_alarm_and_who_is_calm_leaves_it() -> None:
    quiet = _alike(0.5)
    state, verdict = weigh(Watch(), {"a": CERTAIN, "b": quiet}, 450)
    assert verdict is not None
    assert verdict.named == ("a",)
    state, verdict = weigh(state, {"a": _alike(0.01), "b": CERTAIN}, 450)
    assert verdict is not None
    assert set(verdict.named) == {"a", "b"}
    state, verdict = weigh(state, {"a": _alike(0.01), "b": quiet}, 450)
    assert verdict is not None
    assert verdict.named == ("b",)
    for _ in range(20):
        state, verdict = weigh(state, {"a": quiet, "b": quiet}, 450)
    assert state.held == {}
    assert verdict is not None
    assert not verdict.holds


def test_nothing_judged_changes_nothing_and_another_version_begins_anew() -> None:
    state, _ = weigh(Watch(), {"score": _alike(20.0)}, 450)
    assert weigh(state, {}, 450) == (state, None)
    assert renewed(state) == Watch()
    crying, _ = weigh(Watch(), {"score": CERTAIN}, 450)
    after, verdict = weigh(renewed(crying), {"score": _alike(0.9)}, 450)
    assert verdict is not None
    assert not verdict.holds
    assert after == Watch()


def test_the_state_is_json_and_comes_back() -> None:
    state, _ = weigh(Watch(), {"a": _alike(3.0), "b": _alike(0.25)}, 450)
    assert Watch.from_json(state.as_json()) == state
