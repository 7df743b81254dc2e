"""The charter's rules about production: whether one holds for certain on labelled rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from vitok.charter.expressions import Comparison, Gap, Slice
from vitok.monitor.quality import QualityFinding, evidence_beyond, limit_of, surely
from vitok.stats.edetectors import mean_evidence
from vitok.stats.estimates import Estimate, estimate
from vitok.stats.groups import independent_difference, pairs_apart, pool_groups
from vitok.stats.scores import Scored, Undecidable

_LEVEL = 0.90


def judge_rule(
    rule: Comparison,
    scored: Scored,
    groups: Mapping[str, np.ndarray],
    watched: Sequence[str],
    accepted: Mapping[str, float],
) -> QualityFinding | None:
    """Whether a rule holds: over all rows, or in any of the groups that it speaks of.

    Over k groups each interval is made at the level 1 - .1/k, so that all together err as seldom as one would.

    Args:
        rule: An alert or a trigger of the charter, its bound in the metric's own unit.
        scored: The answers of one version on labelled rows.
        groups: Text values of each column that the rule names, shape (n,) each.
        watched: The columns that `worst_slice` without a column goes through.
        accepted: Metrics of the version when it was accepted.

    Returns:
        The finding of the group that is furthest beyond the bound, with the evidence of all groups together (the mean
        of e-values is one); None if no group can be decided.
    """
    limit = None if isinstance(rule.bound.reference, Slice) else limit_of(rule, accepted.get(rule.metric))
    found, evidence = [], []
    for where, value, bound in _parts(rule, scored, groups, watched, limit):
        holds = surely(rule.operator, value, bound)
        found.append((holds, _excess(rule, value, bound), _finding(rule, where, value, bound, holds)))
        # As much again as the interval says, for what differs between windows.
        spread = (value.high - value.low) / 4
        evidence.append(evidence_beyond(value, bound, wants_high=not rule.wants_high, spread=spread))
    if not found:
        return None
    worst = max(found, key=lambda each: each[:2])[2]
    return replace(worst, evidence=mean_evidence(evidence))


def _parts(
    rule: Comparison,
    scored: Scored,
    groups: Mapping[str, np.ndarray],
    watched: Sequence[str],
    limit: float | None,
) -> Iterator[tuple[str, Estimate, float]]:
    """Each place that the rule speaks of, with its figure and its bound; undecidable ones are left out."""
    if rule.part is None:
        whole = _figure(rule.metric, scored, _LEVEL)
        if whole is not None and limit is not None:
            yield "", whole, limit
        return
    columns = [rule.part.column] if rule.part.column is not None else list(watched)
    only = rule.part.value if isinstance(rule.part, Slice) else None
    masks = {
        f"{column}={group}": rows
        for column in columns
        if column in groups
        for group, rows in _groups(groups[column], only).items()
    }
    count = len(masks) * (len(masks) - 1) // 2 if isinstance(rule.part, Gap) else len(masks)
    level = 1 - (1 - _LEVEL) / max(1, count)
    known = {where: _figure(rule.metric, scored.take(rows), level) for where, rows in masks.items()}
    figures = {where: value for where, value in known.items() if value is not None}
    if isinstance(rule.bound.reference, Slice):
        yield from _against_slice(rule, rule.bound.reference, scored, groups, figures, level)
    elif limit is None:
        return
    elif isinstance(rule.part, Gap):
        for upper, lower, apart in pairs_apart(figures):
            yield f"between {upper} and {lower}", apart, limit
    else:
        yield from ((where, value, limit) for where, value in figures.items())


def _groups(values: np.ndarray, only: str | None) -> dict[str, np.ndarray]:
    return pool_groups(values) if only is None else {only: values == only}


def _figure(metric: str, scored: Scored, level: float) -> Estimate | None:
    try:
        return estimate(metric, scored, level=level)
    except Undecidable:
        return None


def _against_slice(
    rule: Comparison,
    other: Slice,
    scored: Scored,
    groups: Mapping[str, np.ndarray],
    figures: Mapping[str, Estimate],
    level: float,
) -> Iterator[tuple[str, Estimate, float]]:
    if other.column not in groups:
        return
    theirs = _figure(rule.metric, scored.take(groups[other.column] == other.value), level)
    if theirs is None:
        return
    moved = rule.bound.factor * theirs.value
    for where, value in figures.items():
        if where != f"{other.column}={other.value}":
            apart = independent_difference(value, theirs, rule.bound.factor)
            found = Estimate(value.value, moved + apart.low, moved + apart.high, apart.rows, apart.method)
            yield where, found, moved + rule.bound.offset


def _excess(rule: Comparison, value: Estimate, bound: float) -> float:
    return value.low - bound if rule.wants_high else bound - value.high


def _finding(rule: Comparison, where: str, value: Estimate, bound: float, holds: bool) -> QualityFinding:
    place = f" {where}" if where else ""
    sentence = (
        f"`{rule}` {'holds' if holds else 'does not hold'}: {rule.metric}{place} {value.value:.4g} "
        f"({value.low:.4g} to {value.high:.4g}, {value.rows} labels) against {bound:.4g}."
    )
    return QualityFinding(str(rule), value, bound, bound, holds, sentence)
