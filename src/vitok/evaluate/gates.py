"""Gates: each comparison of the charter decided on an interval; what cannot be decided fails."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from vitok.charter.expressions import Bound, Comparison
from vitok.stats.catalogue import SERVICE_METRICS
from vitok.stats.estimates import Estimate, Undecidable, estimate, estimate_difference, within
from vitok.stats.scores import Scored

_SMALL_GROUP = 100
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
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    threshold: float | None
    passed: bool
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The gate as JSON values."""
        return asdict(self)


def judge(gates: list[Comparison], evidence: Evidence) -> list[Gate]:
    """Decides each gate; the verdict is *accepted* if all passed."""
    return [
        _judge_slices(gate, evidence) if gate.slice else _judge_one(gate, evidence, str(gate))
        for gate in gates
    ]


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
    # The strongest baseline is the one that leaves the candidate the least lead.
    results = [
        _against(gate, evidence, name, scored, f"baseline {key}")
        for key, scored in evidence.baselines.items()
    ]
    return min(results, key=lambda result: _slack(gate, result))


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


def _decide(gate: Comparison, name: str, found: Estimate, threshold: float, shown: str) -> Gate:
    edge = found.low if gate.wants_high else found.high
    passed = {
        ">=": edge >= threshold,
        ">": edge > threshold,
        "<=": edge <= threshold,
        "<": edge < threshold,
    }[gate.operator]
    interval = f"{gate.metric} {found.value:.4g} [{found.low:.4g}, {found.high:.4g}] over {found.rows} rows"
    if passed:
        reason = f"{interval} clears {shown}"
    elif (found.value >= threshold) == gate.wants_high:
        reason = f"{interval} reaches {shown}, but its interval does not: more rows could decide"
    else:
        reason = f"{interval} misses {shown}"
    return Gate(name, found.value, found.low, found.high, threshold, bool(passed), reason)


def _judge_slices(gate: Comparison, evidence: Evidence) -> Gate:
    """All groups must pass; the one with the least slack speaks for the gate."""
    assert gate.slice is not None
    name, column = str(gate), gate.slice.column
    values = evidence.slices.get(column)
    if values is None:
        return _failed(name, f"cannot be decided: the data has no column {column!r}")
    groups = (
        {gate.slice.value: values == gate.slice.value}
        if gate.slice.value is not None
        else pool_groups(values)
    )
    results = []
    for group, rows in groups.items():
        inner = _judge_one(replace(gate, slice=None), _rows_of(evidence, rows), name)
        results.append(replace(inner, reason=f"{column}={group}: {inner.reason}"))
    failed = [result for result in results if not result.passed]
    return min(failed or results, key=lambda result: _slack(gate, result))


def pool_groups(values: np.ndarray) -> dict[str, np.ndarray]:
    """Row masks of the groups of a column; groups under 100 rows are judged together.

    A group of a handful of rows can never be decided and would block every release; pooled, its rows still count.
    """
    names, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    large = [index for index, count in enumerate(counts) if count >= _SMALL_GROUP]
    groups = {str(names[index]): inverse == index for index in large}
    rest = ~np.isin(inverse, large)
    if rest.any():
        if rest.sum() < _SMALL_GROUP and groups:
            smallest = min(groups, key=lambda group: int(groups[group].sum()))
            groups[f"{smallest} and small groups"] = groups.pop(smallest) | rest
        else:
            groups["small groups"] = rest
    return groups


def _rows_of(evidence: Evidence, rows: np.ndarray) -> Evidence:
    return replace(
        evidence,
        candidate=evidence.candidate.take(rows),
        baselines={name: scored.take(rows) for name, scored in evidence.baselines.items()},
        champion=None if evidence.champion is None else evidence.champion.take(rows),
    )
