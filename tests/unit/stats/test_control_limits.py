import numpy as np
import pytest

from vitok.stats.control_limits import ControlLimits, compare, fit_control_limits
from vitok.stats.estimates import Estimate
from vitok.stats.intervals import normal_quantile, wilson
from vitok.stats.scores import Undecidable


def window(hits, rows):
    return Estimate(hits / rows, *wilson(hits, rows), rows, "Wilson")


def series(rng, base, later, *, excess=0.0, weekend=0.0):
    """Accuracy by day, of 300 to 3 000 rows each; the true value scatters by `excess`."""
    days = np.arange(base + later)
    rows = rng.integers(300, 3000, len(days))
    true = 0.85 + rng.normal(0, excess, len(days)) + weekend * np.isin(days % 7, (5, 6))
    hits = rng.binomial(rows, np.clip(true, 0, 1))
    return [window(int(k), int(n)) for k, n in zip(hits, rows, strict=True)], (days % 7).tolist()


def outside(rng, rounds, base, share, *, seasonal=False, **kind):
    found = []
    for _ in range(rounds):
        windows, days = series(rng, base, 10, **kind)
        limits = fit_control_limits(windows[:base], seasons=days[:base] if seasonal else None)
        found += [
            limits.is_outside(each, day, false_alarms=share)
            for each, day in zip(windows[base:], days[base:], strict=True)
        ]
    return float(np.mean(found))


@pytest.mark.parametrize(
    ("base", "kind"),
    [
        (30, {}),
        (30, {"excess": 0.02}),
        (28, {"weekend": 0.05, "seasonal": True}),
        (28, {"weekend": 0.05, "excess": 0.01, "seasonal": True}),
    ],
    ids=["plain", "over-dispersed", "seasonal", "seasonal and over-dispersed"],
)
def test_healthy_windows_lie_outside_as_seldom_as_asked(base, kind):
    rng = np.random.default_rng(0)
    assert 0.02 < outside(rng, 250, base, 0.05, **kind) < 0.065
    assert outside(rng, 250, base, 0.0027, **kind) < 0.007


def test_without_the_excess_or_the_season_healthy_windows_alarm_or_faults_hide():
    rng = np.random.default_rng(1)
    windows, _ = series(rng, 60, 200, excess=0.02)
    limits = fit_control_limits(windows[:60])
    naive = ControlLimits(limits.center, {}, 0.0, 1.0, limits.free, 60, 0.9, limits.center_error)
    assert np.mean([naive.is_outside(each) for each in windows[60:]]) > 0.05
    windows, days = series(rng, 56, 0, weekend=0.05)
    plain, seasonal = fit_control_limits(windows), fit_control_limits(windows, seasons=days)
    assert plain.excess > 2 * seasonal.excess
    fault = window(830, 1000)
    assert not plain.is_outside(fault, 5)
    assert seasonal.is_outside(fault, 5)


def test_limits_are_those_of_a_p_chart_where_rows_explain_all():
    windows = [window(hits, 1000) for hits in (848, 852) * 10]
    limits = fit_control_limits(windows)
    low, high = limits.around(windows[0])
    three_sigma = 3 * np.sqrt(0.85 * 0.15 / 1000)
    assert limits.center == pytest.approx(0.85, abs=1e-4)
    assert limits.excess == 0.0
    assert (high - low) / 2 == pytest.approx(three_sigma * np.sqrt(1.05), rel=0.01)
    wider = limits.around(window(85, 100))
    assert wider[1] - wider[0] > 3 * (high - low)


def test_excess_is_what_was_put_in_whatever_the_rows_of_windows():
    rng, found = np.random.default_rng(2), []
    for _ in range(60):
        windows, _ = series(rng, 60, 0, excess=0.03)
        found.append(fit_control_limits(windows).excess)
    assert np.sqrt(np.mean(np.square(found))) == pytest.approx(0.03, rel=0.05)


def test_a_huge_window_of_a_healthy_model_does_not_alarm_and_a_trend_in_the_base_does_not_hide_faults():
    rng = np.random.default_rng(6)
    limits = fit_control_limits(series(rng, 40, 0, excess=0.02)[0])
    assert not limits.is_outside(window(865_000, 1_000_000))
    rows = np.full(60, 2000)
    trend = [window(int(k), 2000) for k in rng.binomial(rows, np.linspace(0.83, 0.87, 60))]
    assert fit_control_limits(trend).excess < 0.004


def test_a_fall_is_flagged_and_a_season_seen_once_is_left_out():
    windows, days = series(np.random.default_rng(3), 10, 0)
    limits = fit_control_limits(windows, seasons=days)
    assert limits.seasons == {}
    assert limits.is_outside(window(1400, 2000), "never seen")


def test_base_windows_that_set_no_limits_say_why():
    windows, days = series(np.random.default_rng(4), 10, 0)
    with pytest.raises(Undecidable, match="7 windows are too few for limits, 8 are needed"):
        fit_control_limits(windows[:7])
    with pytest.raises(Undecidable, match="no width"):
        fit_control_limits([*windows, Estimate(0.8, 0.8, 0.8, 10, "")])
    with pytest.raises(Undecidable, match="not finite"):
        fit_control_limits([*windows, Estimate(np.nan, 0.8, 0.9, 10, "")])
    with pytest.raises(ValueError, match="10 windows, but 9 seasons"):
        fit_control_limits(windows, seasons=days[:9])


def test_differences_cover_as_often_as_they_say_and_a_given_figure_adds_no_width():
    rng, missed = np.random.default_rng(5), 0
    for _ in range(1000):
        now, then = window(int(rng.binomial(400, 0.8)), 400), window(int(rng.binomial(900, 0.85)), 900)
        found = compare(now, then)
        missed += not found.low <= -0.05 <= found.high
    assert 0.075 < missed / 1000 < 0.125
    given = compare(now, 0.85)
    assert (given.value, given.high - given.low) == pytest.approx((now.value - 0.85, now.high - now.low))
    wide = compare(now, 0.85, excess=0.02)
    half = normal_quantile(0.95) * 0.02
    assert wide.high - wide.value == pytest.approx(np.hypot(now.high - now.value, half))
    assert compare(now, then, excess=0.02).low < compare(now, then).low
