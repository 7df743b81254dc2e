"""The metrics by name: for which task, in which direction, from what."""

import math
from dataclasses import dataclass
from typing import Literal

TaskKind = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of model quality.

    Args:
        name: As gates and reports write it.
        tasks: The task kinds that it is defined for.
        higher_is_better: The direction of improvement.
        uses: `score` (probabilities or predicted values) or `decision` (the score against the threshold).
        meaning: One plain sentence for readers.
    """

    name: str
    tasks: frozenset[TaskKind]
    higher_is_better: bool
    uses: Literal["score", "decision"]
    meaning: str

    @property
    def in_target_units(self) -> bool:
        """Whether the figure is in the units of the target."""
        return self.name in ("mae", "rmse")

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest value that it can have."""
        if self.name == "profit_per_1000":
            return -math.inf, math.inf
        is_share = self.higher_is_better or self.name in ("brier", "calibration_error")
        return -math.inf if self.name == "r2" else 0.0, 1.0 if is_share else math.inf


def _metric(name: str, tasks: str, better: str, uses: Literal["score", "decision"], meaning: str) -> Metric:
    kinds: dict[str, TaskKind] = {"b": "binary", "m": "multiclass", "r": "regression"}
    return Metric(name, frozenset(kinds[letter] for letter in tasks), better == "high", uses, meaning)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _metric(
            "roc_auc", "bm", "high", "score", "Chance that a positive row is ranked above a negative one."
        ),
        _metric("pr_auc", "b", "high", "score", "Average precision over all recall levels."),
        _metric("log_loss", "bm", "low", "score", "Mean surprise of the true class in nats."),
        _metric("brier", "b", "low", "score", "Mean squared error of the probability."),
        _metric(
            "calibration_error",
            "bm",
            "low",
            "score",
            "Mean gap between stated probability and observed share.",
        ),
        _metric("accuracy", "bm", "high", "decision", "Share of right decisions."),
        _metric("precision", "b", "high", "decision", "Share of flagged rows that are truly positive."),
        _metric("recall", "b", "high", "decision", "Share of positive rows that are flagged."),
        _metric("f1", "b", "high", "decision", "Harmonic mean of precision and recall."),
        _metric("f1_macro", "m", "high", "decision", "F1 of each class, averaged with equal weight."),
        _metric(
            "profit_per_1000", "b", "high", "decision", "Money per 1 000 decisions, by the charter's costs."
        ),
        _metric("mae", "r", "low", "score", "Mean absolute error, in units of the target."),
        _metric("rmse", "r", "low", "score", "Root mean squared error, in units of the target."),
        _metric("r2", "r", "high", "score", "Share of the target's variance that is explained."),
        _metric("mape", "r", "low", "score", "Mean absolute error relative to the true value."),
    )
}

# Measured on the packaged bundle, not on labelled rows.
SERVICE_METRICS: dict[str, str] = {
    "latency_p50_ms": "Median time of one single-row prediction inside the model, in milliseconds.",
    "latency_p99_ms": "99th percentile of the time of one single-row prediction inside "
    "the model, in milliseconds.",
    "size_mb": "Size of the bundle in megabytes.",
}

SERVICE_UNITS: dict[str, str] = {"latency_p50_ms": "ms", "latency_p99_ms": "ms", "size_mb": "MB"}

PRIMARY: dict[TaskKind, str] = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


def metrics_for(task: TaskKind, *, with_costs: bool = True) -> list[Metric]:
    """The metrics that a task has, in the catalogue's order.

    Args:
        task: The kind of task.
        with_costs: Whether the charter states costs; without them there is no profit.
    """
    return [
        metric
        for metric in METRICS.values()
        if task in metric.tasks and (with_costs or metric.name != "profit_per_1000")
    ]
