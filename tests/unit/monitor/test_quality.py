"""Quality of a window."""

import numpy as np
import pytest

from vitok.charter.expressions import Comparison, parse_expression
from vitok.monitor.quality import (
    quality_findings,
    quality_window,
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
    accepted = {"roc_auc": 0.80, "log_loss": 0.55, "profit_per_1000": -100.0, "brier": 0.1}
    found = {finding.metric: finding for finding in quality_findings(estimates, accepted)}
    assert [name for name, finding in found.items() if finding.alarm] == [
        "roc_auc",
        "log_loss",
        "profit_per_1000",
    ]
    assert found["profit_per_1000"].bound == pytest.approx(-105)
    assert found["roc_auc"].sentence.startswith("roc_auc fell: 0.7 (0.68 to 0.72, 900 labels)")
    assert found["log_loss"].sentence.startswith("log_loss rose")
