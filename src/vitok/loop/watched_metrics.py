"""Which metrics of production are watched, and what they are by slice."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from vitok.charter.expressions import Comparison
from vitok.charter.review import main_metric
from vitok.loop.project import Project
from vitok.monitor.quality import quality_window
from vitok.stats.catalogue import METRICS
from vitok.stats.estimates import Estimate
from vitok.stats.groups import pool_groups
from vitok.stats.scores import Scored


def alerting_metrics(project: Project) -> list[str]:
    """Metrics whose fall is an alarm: the main one, and those that the charter's triggers name.

    Others, such as precision or profit, follow the share of positive rows from day to day; they are measured in
    every window, but a fall of theirs is no evidence against the model.
    """
    triggers = project.document.rules.triggers
    named = [trigger.metric for trigger in triggers if isinstance(trigger, Comparison)]
    return list(dict.fromkeys([main_metric(project.charter), *named]))


def charter_metrics(project: Project) -> list[str]:
    """The main metric, and all of the catalogue that the charter's gates, alerts and triggers name."""
    rules = project.document.rules
    named = [rule.metric for rule in (*rules.gates, *rules.alerts) if isinstance(rule, Comparison)]
    return [name for name in dict.fromkeys([*alerting_metrics(project), *named]) if name in METRICS]


def slice_metrics(
    scored: Scored, groups: Mapping[str, NDArray[np.str_]], metrics: Iterable[str]
) -> dict[str, dict[str, Estimate]]:
    """Metrics of each group of some columns, by `COLUMN=VALUE`; small groups are taken together.

    Args:
        groups: Text values by column, each of shape (n,).
        metrics: Names of the catalogue.
    """
    names, found = list(metrics), {}
    for column, values in groups.items():
        for value, inside in pool_groups(values).items():
            told = quality_window(scored.take(inside), names)
            if told:
                found[f"{column}={value}"] = told
    return found
