"""Retraining policies, and how each did in a replay."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from vitok.charter.review import main_metric
from vitok.economics.value import decisions_value
from vitok.kernel.clock import format_time
from vitok.loop.assemble import cost_tuple
from vitok.loop.journals import JournalReader, scored_rows
from vitok.loop.project import Project
from vitok.model.bundle import load_manifest
from vitok.monitor.quality import quality_window
from vitok.registry import versions
from vitok.registry import windows as remembered
from vitok.stats.catalogue import METRICS, metrics_for
from vitok.stats.scores import Scored

_WEEK = "1w"


@dataclass
class PolicyResult:
    """How one policy did.

    Args:
        windows: Quality by month (short spans: by week or day).
        events: Ends of turns, and moves of roll-outs, in order.
        weeks: Money, or without costs the main metric, by week.
        at_risk: Share of the judged windows in which the main metric was below what was accepted, less the charter's
            concession; None if nothing was judged.
        turns: How many there were.
        seconds: Time spent in turns, and in everything else.
    """

    name: str
    windows: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    mean: dict[str, float] = field(default_factory=dict)
    value: float | None = None
    weeks: dict[str, float] = field(default_factory=dict)
    at_risk: float | None = None
    rows: int = 0
    turns: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def count(self, event: str) -> int:
        """How many turns ended, and roll-outs moved, so."""
        return sum(entry["event"] == event for entry in self.events)

    def as_json(self) -> dict[str, Any]:
        """The entry that `vitok replay --json` prints."""
        return {
            "name": self.name,
            "windows": self.windows,
            "mean": self.mean,
            "turns": self.turns,
            "promotions": self.count("promoted"),
            "refusals": self.count("refused"),
            "failures": self.count("failed"),
            "rollbacks": self.count("rolled back"),
            "inconclusive": self.count("inconclusive"),
            "alerts": len(self.alerts),
            "alert_list": self.alerts,
            "events": self.events,
            "value": self.value,
            "weeks": self.weeks,
            "at_risk": self.at_risk,
            "rows": self.rows,
            "seconds": {stage: round(value, 2) for stage, value in self.seconds.items()},
        }


def summarise(project: Project, journal: JournalReader, length: timedelta, result: PolicyResult) -> None:
    """Writes quality by period, its mean, money by week, and the time at risk into a result.

    Args:
        length: Of the span: long ones are told by month, short ones by week or day.
    """
    costs = cost_tuple(project)
    names = [metric.name for metric in metrics_for(project.charter.task.type, with_costs=costs is not None)]
    labelled = journal.labelled(as_of=project.clock()).filter(pl.col("role") != "shadow")
    means: dict[str, list[float]] = {}
    for start, scored in _periods(project, labelled, period_of(length)):
        found = quality_window(scored, names)
        metrics = {name: estimate.as_json() for name, estimate in found.items()}
        result.windows.append({"start": format_time(start), "rows": scored.rows, "metrics": metrics})
        for name, estimate in found.items():
            means.setdefault(name, []).append(estimate.value)
    result.mean = {name: float(np.mean(values)) for name, values in means.items()}
    main = main_metric(project.charter)
    for start, scored in _periods(project, labelled, _WEEK):
        worth = _money(project, scored)
        if worth is None:
            found = quality_window(scored, [main])
            worth = found[main].value if main in found else None
        if worth is not None:
            result.weeks[format_time(start)] = round(worth, 6)
    result.value = round(sum(result.weeks.values()), 2) if costs is not None else None
    result.at_risk = _at_risk(project, main)


def _periods(project: Project, labelled: pl.DataFrame, period: str) -> Iterator[tuple[datetime, Scored]]:
    """Answers by period, those of several versions as one."""
    costs = cost_tuple(project)
    for (start,), part in labelled.group_by(pl.col("time").dt.truncate(period), maintain_order=True):
        assert isinstance(start, datetime)
        yield (
            start,
            _joined(
                [
                    scored_rows(group, load_manifest(project.blobs, str(digest)), costs)
                    for (digest,), group in part.group_by("digest", maintain_order=True)
                ]
            ),
        )


def _money(project: Project, scored: Scored) -> float | None:
    costs = project.charter.decide.costs
    if scored.decisions is None or costs is None:
        return None
    return decisions_value(scored.truth, scored.decisions, costs)


def _at_risk(project: Project, metric: str) -> float | None:
    """The share of judged windows in which a metric was worse than what the first version was accepted with allows."""
    with project.engine.connect() as connection:
        accepted = versions.all_versions(connection)[0].metrics.get(metric)
        windows = remembered.all_windows(connection)
    values = [each["quality"][metric]["value"] for each in windows if metric in each["quality"]]
    if accepted is None or not values:
        return None
    better, concession = METRICS[metric].higher_is_better, project.charter.monitor.concession
    bound = accepted["value"] * (1 - concession if better else 1 + concession)
    return float(np.mean([value < bound if better else value > bound for value in values]))


def period_of(length: timedelta) -> str:
    """Months for long spans, weeks or days for short ones."""
    return "1mo" if length >= timedelta(days=60) else "1w" if length >= timedelta(days=14) else "1d"


def _joined(parts: list[Scored]) -> Scored:
    """Answers of several versions over one period as one."""
    first = parts[0]
    decided = [part.decisions for part in parts if part.decisions is not None]
    return replace(
        first,
        truth=np.concatenate([part.truth for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        decisions=np.concatenate(decided) if len(decided) == len(parts) else None,
    )
