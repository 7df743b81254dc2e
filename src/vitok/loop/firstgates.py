"""First gates of a new project, taken from what simple baselines reach on its data."""

import math
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl

from vitok.charter.model import Charter
from vitok.data.expectations import Expectations
from vitok.data.snapshot import take_snapshot
from vitok.errors import DataMistake
from vitok.loop.prepare import Prepared, prepare_snapshot
from vitok.stats.catalogue import METRICS, PRIMARY
from vitok.stats.estimates import Estimate, estimate
from vitok.stats.groups import pool_groups
from vitok.stats.power import TestSize, paired_half_width
from vitok.stats.scores import Scored, Undecidable
from vitok.train.fit import fit_baselines, predict_scores

_ROWS = 100_000  # newest rows that the figures rest on: more would tell the same
_FEW = 2000
_GROUPS = (2, 30)
_GROUP_ROWS = 200
_SLICES = 2
# Groups that people ask about first, by common names of such columns.
_ASKED_FIRST = (
    "sex",
    "gender",
    "race",
    "ethnic",
    "age_group",
    "region",
    "country",
    "state",
    "segment",
    "channel",
)


@dataclass(frozen=True)
class FirstGates:
    """What simple baselines say about a sensible acceptance.

    Args:
        gates: Each gate with the reason for it.
        slices: Columns whose groups the baselines tell apart.
        baselines: Baselines that this much data can tell apart.
        comments: Remarks for keys of the charter.
        warnings: What could not be had.
    """

    gates: list[tuple[str, str]]
    slices: list[str] = field(default_factory=list)
    baselines: list[str] = field(default_factory=lambda: ["prior", "rule"])
    comments: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def first_gates(frame: pl.DataFrame, charter: Charter, expected: Expectations, now: datetime) -> FirstGates:
    """Proposes gates for a charter that has none of its own yet.

    Args:
        frame: The rows, checked and typed.
        charter: A first draft: task, split and columns are what counts.
        now: Rows later than that are no history.
    """
    metric = PRIMARY[charter.task.type]
    sample = _sample(frame, charter)
    try:
        snapshot = take_snapshot(sample, {}, charter, expected, None, as_of=now, window="all")
        prepared = prepare_snapshot(snapshot, charter)
    except DataMistake as error:
        return FirstGates(_plain_gates(metric, 0.02), warnings=[f"no figures of baselines: {error.what}"])
    gates = _plain_gates(metric, _margin(charter.task.type, prepared, frame.height / sample.height))
    if charter.decide.costs is not None:
        gates.insert(-1, ("profit_per_1000 > 0", "by decide.costs it earns money"))
    if frame.height < _FEW:
        why = "so few rows can hardly tell a candidate from a rule; add rule later"
        return FirstGates(gates, [], ["prior"], {"train.baselines": why})
    return _from_rule(gates, metric, prepared, charter)


def _from_rule(gates: list[tuple[str, str]], metric: str, prepared: Prepared, charter: Charter) -> FirstGates:
    """The gates with those that a simple rule suggests: a floor for all rows, and one for the worst group."""
    scored, comments = _scored(prepared, charter), {}
    rule = _figure(metric, scored)
    if rule is not None:
        gates.insert(0, _floor_gate(metric, rule))
        reached = f"a rule of depth three reaches {metric} {rule.value:.3g} on the test rows"
        comments["train.baselines"] = reached
    slices, gate = _slice_gate(metric, prepared, scored)
    if gate is not None:
        gates.insert(-1, gate)
        comments["monitor.slices"] = "the groups that worst_slice goes through"
    return FirstGates(gates, slices, ["prior", "rule"], comments)


def _sample(frame: pl.DataFrame, charter: Charter) -> pl.DataFrame:
    if frame.height <= _ROWS:
        return frame
    if charter.task.time is not None:
        return frame.sort(charter.task.time).tail(_ROWS)
    return frame.sample(_ROWS, seed=charter.train.seed)


def _scored(prepared: Prepared, charter: Charter) -> Scored:
    """A tree of depth three on the test rows."""
    (fitted,) = fit_baselines(["rule"], prepared.training_set(charter))
    task, test = prepared.classes.task, prepared.parts.test
    return Scored(task, prepared.truth[test], predict_scores(fitted.pipeline, prepared.encoded[test], task))


def _figure(metric: str, scored: Scored) -> Estimate | None:
    try:
        return estimate(metric, scored)
    except Undecidable:
        return None


def _plain_gates(metric: str, margin: float) -> list[tuple[str, str]]:
    better = METRICS[metric].higher_is_better
    gates = [(f"{metric} {'>' if better else '<'} baseline", "or a simple rule will do")]
    if margin:
        bound = f">= champion - {margin:g}" if better else f"<= champion + {margin:g}"
        gates.append(
            (f"{metric} {bound}", "not clearly worse than what is in production; this much the test can tell")
        )
    return [*gates, ("latency_p50_ms <= 100ms", "one row, in the model alone")]


def _floor_gate(metric: str, rule: Estimate) -> tuple[str, str]:
    sign, bound = _bound(metric, rule)
    verb = "reaches" if sign == ">=" else "keeps"
    why = f"what a rule of depth three {verb} for certain ({rule.value:.3g}), for ever"
    return f"{metric} {sign} {bound:g}", why


def _bound(metric: str, figure: Estimate) -> tuple[str, float]:
    """The end of the interval that the figure keeps for certain, in round numbers, and how to compare with it."""
    if METRICS[metric].higher_is_better:
        return ">=", math.floor(figure.low * 100) / 100
    return "<=", _round_up(figure.high)


def _round_up(value: float) -> float:
    """To two significant digits."""
    scale = 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 1.0
    return math.ceil(value / scale) * scale


def _margin(task: str, prepared: Prepared, times: float) -> float:
    """The smallest loss that a test of this size can exclude, at least .02 (ranking); none for errors in units."""
    if task == "regression":
        return 0.0
    truth = prepared.truth[prepared.parts.test]
    if task == "multiclass":
        return 0.05
    size = TestSize(len(truth), int((truth == 1).sum())).scaled(times)
    return max(0.02, math.ceil(paired_half_width("roc_auc", 0.75, size) * 100) / 100)


def _slice_gate(metric: str, prepared: Prepared, rule: Scored) -> tuple[list[str], tuple[str, str] | None]:
    """Up to two columns whose groups are large enough to be judged apart, and the gate on the worst of them."""
    frame = prepared.snapshot.frame[prepared.parts.test]
    found: list[tuple[bool, float, str, Estimate]] = []
    for field_ in prepared.inputs:
        if field_.kind not in ("category", "boolean"):
            continue
        values = frame[field_.name].cast(pl.String).fill_null("missing").to_numpy().astype(np.str_)
        groups = pool_groups(values)
        large = all(rows.sum() >= _GROUP_ROWS for rows in groups.values())
        if not large or not _GROUPS[0] <= len(groups) <= _GROUPS[1]:
            continue
        figures = [_figure(metric, rule.take(rows)) for rows in groups.values()]
        if any(figure is None for figure in figures):
            continue
        worst = _worst(metric, [figure for figure in figures if figure is not None])
        asked = any(word in field_.name.lower() for word in _ASKED_FIRST)
        badness = -worst.value if METRICS[metric].higher_is_better else worst.value
        found.append((asked, badness, field_.name, worst))
    found.sort(key=lambda each: each[:2], reverse=True)
    chosen = found[:_SLICES]
    if not chosen:
        return [], None
    worst = _worst(metric, [each[3] for each in chosen])
    return [each[2] for each in chosen], _group_gate(metric, worst)


def _group_gate(metric: str, worst: Estimate) -> tuple[str, str] | None:
    sign, bound = _bound(metric, worst)
    if metric == "roc_auc" and bound <= 0.5:
        return None  # the groups are too small to tell a model from chance
    return f"worst_slice.{metric} {sign} {bound:g}", "no group may do worse than the worst one by the rule"


def _worst(metric: str, figures: list[Estimate]) -> Estimate:
    best_first = METRICS[metric].higher_is_better
    return min(figures, key=lambda f: f.low) if best_first else max(figures, key=lambda f: f.high)
