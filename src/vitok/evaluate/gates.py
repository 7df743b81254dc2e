"""Gates: each comparison of the charter decided on an interval; what cannot be decided fails."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, Literal

import numpy as np

from vitok.charter import expressions
from vitok.charter.expressions import Ask, Bound, Comparison, Slice
from vitok.stats.catalogue import SERVICE_METRICS
from vitok.stats.estimates import Estimate, Undecidable, estimate, estimate_difference, within
from vitok.stats.groups import independent_difference, pairs_apart, pool_groups
from vitok.stats.scores import Scored

_ROUNDING = (
    1e-5  # leads below it come of float32, not of learning: packaging allows as much (model/package.py)
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the gates look at; every model answered the same rows.

    Args:
        candidate: The candidate on the test rows.
        baselines: Each baseline on the same rows.
        champion: The version in production on the same rows, or None.
        champion_version: Its number; None says that there is no champion yet.
        slices: Text values of the columns that gates slice by, shape (n,) each.
        watched: The columns that `worst_slice` without a column goes through.
        ages: Time from each row to the newest one in seconds, shape (n,); None without a time column.
        service: Figures measured on the bundle, by name.
        seed: Seed of the bootstraps.
    """

    candidate: Scored
    baselines: dict[str, Scored]
    champion: Scored | None
    champion_version: int | None
    slices: dict[str, np.ndarray]
    service: dict[str, Estimate]
    seed: int
    watched: Sequence[str] = ()
    ages: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said.

    Args:
        yes: Whether the person agrees.
        who: The person.
        reason: In the person's words.
    """

    yes: bool
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gate:
    """One decided gate.

    Args:
        name: The expression.
        value: The candidate's figure, None if it could not be had.
        low, high: 90 % interval, so that each side errs in at most 5 % of cases.
        threshold: What the interval had to clear.
        passed: The decision.
        reason: One plain sentence.
        waits_for: The role whose answer is still to come; None for all other gates.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    threshold: float | None
    passed: bool
    reason: str
    waits_for: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The gate as JSON values."""
        return asdict(self)


def judge(gates: Sequence[expressions.Gate], evidence: Evidence) -> list[Gate]:
    """Decides each gate; one that asks a person waits."""
    return [
        judge_answer(gate, None) if isinstance(gate, Ask) else _judge_comparison(gate, evidence)
        for gate in gates
    ]


def verdict_of(gates: Sequence[Gate]) -> Literal["accepted", "waiting", "refused"]:
    """*accepted* if all gates passed; *waiting* if all that did not wait for a person; else *refused*."""
    failed = [gate for gate in gates if not gate.passed]
    if not failed:
        return "accepted"
    return "waiting" if all(gate.waits_for is not None for gate in failed) else "refused"


def judge_answer(gate: Ask, answer: Answer | None) -> Gate:
    """The gate that a person decides; without an answer it waits, and blocks."""
    role = gate.role.replace("_", " ")
    question = f": {gate.question}" if gate.question else ""
    if answer is None:
        return replace(_failed(str(gate), f"waits for a {role}{question}"), waits_for=gate.role)
    said = f"{answer.who} ({role}) said {'yes' if answer.yes else 'no'}"
    because = f": {answer.reason}" if answer.reason else ""
    return Gate(str(gate), None, None, None, None, answer.yes, f"{said}{because}")


def _judge_comparison(gate: Comparison, evidence: Evidence) -> Gate:
    name = str(gate)
    if gate.period is not None:
        if evidence.ages is None:
            return _failed(name, "cannot be decided: rows have no time")
        evidence = rows_of(evidence, evidence.ages <= gate.period / timedelta(seconds=1))
    if isinstance(gate.part, expressions.Gap):
        return _judge_gap(gate, gate.part, evidence, name)
    if gate.part is None:
        return _judge_one(gate, evidence, name)
    columns = [gate.part.column] if gate.part.column is not None else list(evidence.watched)
    if not columns:
        return _failed(name, "cannot be decided: monitor.slices names no column")
    return _worst(gate, [_judge_column(gate, column, evidence, name) for column in columns])


def _judge_column(gate: Comparison, column: str, evidence: Evidence, name: str) -> Gate:
    """All groups must pass; the one with the least slack speaks for the gate.

    No correction is due for the many groups: the gate fails if any of them does, so it errs less often than one.
    """
    only = gate.part.value if isinstance(gate.part, Slice) else None
    values = evidence.slices.get(column)
    if values is None:
        return _failed(name, f"cannot be decided: the data has no column {column!r}")
    results = []
    for group, rows in ({only: values == only} if only is not None else pool_groups(values)).items():
        if gate.bound.reference == Slice(column, group):
            continue  # a group is not compared with itself
        inner = _judge_group(gate, evidence, rows, name)
        results.append(replace(inner, reason=f"{column}={group}: {inner.reason}"))
    return (
        _worst(gate, results)
        if results
        else _failed(name, f"cannot be decided: {column!r} has no other group")
    )


def _judge_group(gate: Comparison, evidence: Evidence, rows: np.ndarray, name: str) -> Gate:
    if not isinstance(gate.bound.reference, Slice):
        return _judge_one(gate, rows_of(evidence, rows), name)
    other = gate.bound.reference
    values = evidence.slices.get(other.column)
    if values is None:
        return _failed(name, f"cannot be decided: the data has no column {other.column!r}")
    try:
        own = estimate(gate.metric, evidence.candidate.take(rows), seed=evidence.seed)
        theirs = estimate(gate.metric, evidence.candidate.take(values == other.value), seed=evidence.seed)
    except Undecidable as error:
        return _failed(name, f"cannot be decided: {error}")
    lead = independent_difference(own, theirs, gate.bound.factor)
    moved = gate.bound.factor * theirs.value
    found = Estimate(own.value, moved + lead.low, moved + lead.high, lead.rows, lead.method)
    limit = _limit(gate.bound, theirs.value)
    return _decide(
        gate, name, found, limit, f"{limit:.4g} ({other.column}={other.value}: {theirs.value:.4g})"
    )


def _judge_gap(gate: Comparison, gap: expressions.Gap, evidence: Evidence, name: str) -> Gate:
    """The widest pair of groups; every pair must pass."""
    values = evidence.slices.get(gap.column)
    if values is None:
        return _failed(name, f"cannot be decided: the data has no column {gap.column!r}")
    groups = {}
    try:
        for group, rows in pool_groups(values).items():
            groups[group] = estimate(gate.metric, evidence.candidate.take(rows), seed=evidence.seed)
    except Undecidable as error:
        return _failed(name, f"cannot be decided: {gap.column}={group}: {error}")
    if len(groups) < 2:
        return _failed(name, f"cannot be decided: {gap.column!r} has one group of at least 100 rows")
    results = []
    for upper, lower, apart in pairs_apart(groups):
        found = replace(apart, low=max(0.0, apart.low))
        inner = _decide(
            gate, name, found, gate.bound.offset, f"{gate.bound.offset:g}", what=f"gap of {gate.metric}"
        )
        sides = f"{upper} {groups[upper].value:.4g} and {lower} {groups[lower].value:.4g}"
        results.append(replace(inner, reason=f"{gap.column}, {sides}: {inner.reason}"))
    return _worst(gate, results)


def _worst(gate: Comparison, results: Sequence[Gate]) -> Gate:
    failed = [result for result in results if not result.passed]
    return min(failed or results, key=lambda result: _slack(gate, result))


def _failed(name: str, reason: str) -> Gate:
    return Gate(name, None, None, None, None, False, reason)


def _judge_one(gate: Comparison, evidence: Evidence, name: str) -> Gate:
    try:
        if gate.metric in SERVICE_METRICS:
            return _judge_service(gate, evidence, name)
        if gate.bound.reference is None:
            found = estimate(gate.metric, evidence.candidate, seed=evidence.seed)
            return _decide(gate, name, found, gate.bound.offset, f"{gate.bound.offset:g}")
        return _judge_against(gate, evidence, name)
    except Undecidable as error:
        return _failed(name, f"cannot be decided: {error}")


def _judge_service(gate: Comparison, evidence: Evidence, name: str) -> Gate:
    found = evidence.service.get(gate.metric)
    if found is None or gate.bound.reference is not None:
        why = (
            "it was not measured" if found is None else "figures of the bundle are compared with numbers only"
        )
        return _failed(name, f"cannot be decided: {why}")
    return _decide(gate, name, found, gate.bound.offset, f"{gate.bound.offset:g}")


def _judge_against(gate: Comparison, evidence: Evidence, name: str) -> Gate:
    bound = gate.bound
    if bound.reference == "champion":
        if evidence.champion_version is None:
            return Gate(
                name, None, None, None, None, True, "there is no champion yet: nothing to be compared with"
            )
        if evidence.champion is None:
            return _failed(
                name, f"version {evidence.champion_version}, the champion, could not be run on these rows"
            )
        return _against(gate, evidence, name, evidence.champion, f"version {evidence.champion_version}")
    if not evidence.baselines:
        return _failed(name, "there is no baseline to be compared with")
    # Every baseline must be cleared; the strongest one, which leaves the candidate the least lead, is told.
    results = [
        _against(gate, evidence, name, scored, f"baseline {key}")
        for key, scored in evidence.baselines.items()
    ]
    return _worst(gate, results)


def _slack(gate: Comparison, result: Gate) -> float:
    if result.low is None or result.high is None or result.threshold is None:
        return -np.inf
    return result.low - result.threshold if gate.wants_high else result.threshold - result.high


def _against(gate: Comparison, evidence: Evidence, name: str, other: Scored, who: str) -> Gate:
    """Decides on the paired difference, told in the metric's own units around the other's value."""
    own = estimate(gate.metric, evidence.candidate, seed=evidence.seed)
    lead = estimate_difference(gate.metric, evidence.candidate, other, seed=evidence.seed)
    theirs = own.value - lead.value
    low, high = within(gate.metric, theirs + lead.low, theirs + lead.high)
    paired = Estimate(own.value, low, high, lead.rows, lead.method)
    limit = _limit(gate.bound, theirs)
    if gate.operator in (">", "<") and max(abs(lead.low), abs(lead.high)) <= _ROUNDING * abs(theirs):
        return _no_lead(gate, name, paired, limit, who)
    return _decide(gate, name, paired, limit, f"{limit:.4g} ({who}: {theirs:.4g})")


def _no_lead(gate: Comparison, name: str, paired: Estimate, limit: float, who: str) -> Gate:
    """Two models that answer alike: a strict comparison fails on a tie, whatever the last digits say."""
    room = paired.value - limit if gate.wants_high else limit - paired.value
    reason = f"{gate.metric} {paired.value:.4g} over {paired.rows} rows is the same as that of {who}"
    return Gate(
        name, paired.value, paired.low, paired.high, limit, bool(room > _ROUNDING * abs(paired.value)), reason
    )


def _limit(bound: Bound, value: float) -> float:
    return bound.factor * value + bound.offset


def _decide(
    gate: Comparison, name: str, found: Estimate, threshold: float, shown: str, what: str | None = None
) -> Gate:
    edge = found.low if gate.wants_high else found.high
    passed = {
        ">=": edge >= threshold,
        ">": edge > threshold,
        "<=": edge <= threshold,
        "<": edge < threshold,
    }[gate.operator]
    interval = (
        f"{what or gate.metric} {found.value:.4g} [{found.low:.4g}, {found.high:.4g}] over {found.rows} rows"
    )
    if passed:
        reason = f"{interval} clears {shown}"
    elif (found.value >= threshold) == gate.wants_high:
        reason = f"{interval} reaches {shown}, but its interval does not: more rows could decide"
    else:
        reason = f"{interval} misses {shown}"
    return Gate(name, found.value, found.low, found.high, threshold, bool(passed), reason)


def rows_of(evidence: Evidence, rows: np.ndarray) -> Evidence:
    """The same evidence on some of the rows.

    Args:
        rows: Mask of shape (n,).
    """
    return replace(
        evidence,
        candidate=evidence.candidate.take(rows),
        baselines={name: scored.take(rows) for name, scored in evidence.baselines.items()},
        champion=None if evidence.champion is None else evidence.champion.take(rows),
        slices={name: values[rows] for name, values in evidence.slices.items()},
        ages=None if evidence.ages is None else evidence.ages[rows],
    )
