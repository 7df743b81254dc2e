"""Quality of a window."""

import numpy as np
import pytest

from vitok.charter.expressions import Comparison, parse_expression
from vitok.monitor.evidence import Watch, weigh
from vitok.monitor.quality import (
    Accepted,
    corrected,
    quality_findings,
    quality_window,
    spread_between,
    trigger_holds,
)
from vitok.stats.estimates import Estimate
from vitok.stats.scores import Scored

AUC = Estimate(0.70, 0.68, 0.72, 900, "DeLong")


def test_metrics_that_rows_cannot_tell_are_left_out() -> None:
    scored = Scored("binary", np.array([0, 1] * 30), np.linspace(0, 1, 60))
    assert list(quality_window(scored, ["roc_auc", "recall", "brier"])) == ["roc_auc", "brier"]


@pytest.mark.parametrize(
    ("text", "accepted", "holds"),
    [
        ("roc_auc < 0.95 * accepted", 0.80, True),
        ("roc_auc < 0.95 * accepted", 0.75, False),
        ("roc_auc < accepted - 0.05", 0.80, True),
        ("roc_auc < 0.95 * accepted", None, False),
        ("roc_auc <= 0.72", None, True),
        ("roc_auc < 0.72", None, False),
        ("roc_auc >= 0.68", None, True),
        ("roc_auc > 0.68", None, False),
    ],
)
def test_trigger_holds_only_if_it_holds_for_the_whole_interval(
    text: str, accepted: float | None, holds: bool
) -> None:
    comparison = parse_expression(text)
    assert isinstance(comparison, Comparison)
    assert trigger_holds(comparison, AUC, accepted) is holds


def test_findings_know_the_direction_of_a_metric_even_below_zero() -> None:
    profit = Estimate(-200.0, -260.0, -140.0, 900, "t")
    estimates = {"roc_auc": AUC, "log_loss": Estimate(0.6, 0.58, 0.62, 900, "t"), "profit_per_1000": profit}
    figures = {"roc_auc": 0.80, "log_loss": 0.55, "profit_per_1000": -100.0, "brier": 0.1}
    accepted = {name: Accepted(value, value) for name, value in figures.items()}
    found = {finding.metric: finding for finding in quality_findings(estimates, accepted)}
    assert [name for name, finding in found.items() if finding.alarm] == [
        "roc_auc",
        "log_loss",
        "profit_per_1000",
    ]
    assert found["profit_per_1000"].bound == pytest.approx(-105)
    assert found["roc_auc"].sentence.startswith("roc_auc fell: 0.7 (0.68 to 0.72, 900 labels)")
    assert found["log_loss"].sentence.startswith("log_loss rose")
    assert all(finding.speaks for finding in found.values())


def _day(rng: np.random.Generator, truth: float, error: float = 0.015, between: float = 0.02) -> Estimate:
    value = truth + rng.normal() * between + rng.normal() * error
    return Estimate(value, value - 1.645 * error, value + 1.645 * error, 900, "DeLong")


def _first_cry(rng: np.random.Generator, days: int, fall: float, accepted: Accepted) -> int | None:
    """The first day on which the family of quality cries, of days whose true figure falls on day 30."""
    state, past = Watch(), list[Estimate]()
    for day in range(days):
        now = _day(rng, 0.75 - fall * (day >= 30))
        finding = quality_findings({"roc_auc": now}, {"roc_auc": accepted}, past={"roc_auc": past})[0]
        state, verdict = weigh(state, {"roc_auc": finding.evidence}, 300)
        past.append(now)
        if verdict is not None and verdict.cries:
            return day
    return None


def test_quality_that_differs_from_day_to_day_cries_seldom_and_a_fall_soon() -> None:
    rng = np.random.default_rng(7)
    known = Accepted(0.75, 0.74)
    false = [_first_cry(rng, 365, 0.0, known) for _ in range(40)]
    assert sum(day is not None for day in false) <= 40 * 365 / 300
    delays = [_first_cry(rng, 120, 0.10, known) for _ in range(20)]
    assert all(day is not None and day >= 30 for day in delays)
    assert np.median([day - 30 for day in delays if day is not None]) <= 8


def test_an_accepted_figure_that_was_luck_is_not_held_against_every_day() -> None:
    rng, false = np.random.default_rng(8), 0
    for _ in range(40):
        # Accepted on few rows: the figure errs by .02, its interval says so.
        value = 0.75 + 0.02 * rng.normal()
        false += _first_cry(rng, 365, 0.0, Accepted(value, value - 1.645 * 0.02)) is not None
    assert false <= 40 * 365 / 300


def test_spread_between_windows_is_what_their_errors_leave() -> None:
    rng = np.random.default_rng(9)
    # A lasting fall is no spread.
    series = [[_day(rng, 0.75 - 0.1 * (place > 30)) for place in range(60)] for _ in range(20)]
    assert np.mean([spread_between(past, past[-1]) for past in series]) == pytest.approx(0.02, rel=0.15)
    past = series[0]
    assert spread_between([], past[-1]) == pytest.approx(0.015)
    calm = [[_day(rng, 0.75, between=0.0) for _ in range(60)] for _ in range(20)]
    assert np.mean([spread_between(past, past[-1]) for past in calm]) < 0.01


def test_estimates_are_moved_by_what_came_true() -> None:
    rng, past = np.random.default_rng(10), []
    now = {"roc_auc": Estimate(0.70, 0.68, 0.72, 900, "calibrated scores")}
    assert corrected(now, past) == now
    for _ in range(20):
        told = Estimate(0.72, 0.70, 0.74, 900, "calibrated scores")
        past.append(({"roc_auc": told}, {"roc_auc": _day(rng, 0.76)}))
    found = corrected(now, past)["roc_auc"]
    assert found.value == pytest.approx(0.74, abs=0.015)
    assert found.high - found.low > 0.04
    assert found.method == "calibrated scores, corrected by 14 windows"
    assert corrected(now, past[:4]) == now
    assert corrected(now, [(told, {}) for told, _ in past]) == now
