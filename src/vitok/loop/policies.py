"""Retraining policies, and how each did in a replay."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import polars as pl

from vitok.charter.expressions import Alarm, Schedule, Trigger
from vitok.economics.value import decisions_value
from vitok.errors import UserMistake
from vitok.kernel.clock import format_time
from vitok.loop.assemble import cost_tuple
from vitok.loop.journals import JournalReader, scored_rows
from vitok.loop.project import Project
from vitok.model.bundle import load_manifest
from vitok.monitor.quality import quality_window
from vitok.stats.catalogue import metrics_for
from vitok.stats.scores import Scored

POLICIES = ("never", "daily", "weekly", "monthly", "on-alert", "charter")
_SCHEDULES: dict[str, timedelta | Literal["monthly"]] = {
    "daily": timedelta(days=1),
    "weekly": timedelta(days=7),
    "monthly": "monthly",
}


@dataclass
class PolicyResult:
    """How one policy did.

    Args:
        windows: Quality by month (short spans: by week or day).
        events: Ends of turns, and moves of roll-outs, in order.
        turns: How many there were.
        seconds: Time spent in turns, and in everything else.
    """

    name: str
    windows: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    mean: dict[str, float] = field(default_factory=dict)
    value: float | None = None
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
            "rows": self.rows,
            "seconds": {stage: round(value, 2) for stage, value in self.seconds.items()},
        }


def policy_triggers(project: Project, name: str) -> list[Trigger]:
    """The triggers that a policy has.

    Raises:
        UserMistake: there is no such policy.
    """
    if name == "never":
        return []
    if name == "charter":
        return list(project.document.rules.triggers)
    if name == "on-alert":
        return [Alarm("drift"), Alarm("quality")]
    if name in _SCHEDULES:
        return [Schedule(_SCHEDULES[name])]
    raise UserMistake("--policy", f"there is no policy {name!r}", f"Known: {', '.join(POLICIES)}.")


def summarise(project: Project, journal: JournalReader, length: timedelta, result: PolicyResult) -> None:
    """Writes quality by period, its mean, and the money into a result.

    Args:
        length: Of the span: long ones are told by month, short ones by week or day.
    """
    costs = cost_tuple(project)
    names = [metric.name for metric in metrics_for(project.charter.task.type, with_costs=costs is not None)]
    labelled = journal.labelled(as_of=project.clock()).filter(pl.col("role") != "shadow")
    means: dict[str, list[float]] = {}
    value = 0.0
    for (start,), part in labelled.group_by(
        pl.col("time").dt.truncate(period_of(length)), maintain_order=True
    ):
        assert isinstance(start, datetime)
        scored = _joined(
            [
                scored_rows(group, load_manifest(project.blobs, str(digest)), costs)
                for (digest,), group in part.group_by("digest", maintain_order=True)
            ]
        )
        found = quality_window(scored, names)
        metrics = {name: estimate.as_json() for name, estimate in found.items()}
        result.windows.append({"start": format_time(start), "rows": scored.rows, "metrics": metrics})
        for name, estimate in found.items():
            means.setdefault(name, []).append(estimate.value)
        if scored.decisions is not None and project.charter.decide.costs is not None:
            value += decisions_value(scored.truth, scored.decisions, project.charter.decide.costs)
    result.mean = {name: float(np.mean(values)) for name, values in means.items()}
    result.value = round(value, 2) if costs is not None else None


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
