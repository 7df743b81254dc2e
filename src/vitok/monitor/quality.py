"""Quality of a window on its labels, and whether it fell for certain."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vitok.charter.expressions import Comparison
from vitok.stats.catalogue import METRICS
from vitok.stats.estimates import Estimate, estimate
from vitok.stats.scores import Scored, Undecidable


@dataclass(frozen=True, slots=True)
class QualityFinding:
    """One metric of one window against what was accepted.

    Args:
        metric: Its name.
        estimate: Its value on the window's labels.
        accepted: Its value when the model was accepted.
        bound: What it must keep.
        alarm: Whether the whole interval lies on the bad side of the bound.
        sentence: The finding in words.
    """

    metric: str
    estimate: Estimate
    accepted: float
    bound: float
    alarm: bool
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return asdict(self)


def quality_window(
    scored: Scored, metrics: Iterable[str], *, level: float = 0.90, seed: int = 0
) -> dict[str, Estimate]:
    """Metrics of a window's labelled rows; one that these rows cannot tell is left out.

    Args:
        scored: The model's answers on the labelled rows.
        metrics: Names of the catalogue.
        level: Of the intervals.
        seed: Of a bootstrap.
    """
    result = {}
    for name in metrics:
        try:
            result[name] = estimate(name, scored, level=level, seed=seed)
        except Undecidable:
            continue
    return result


def trigger_holds(comparison: Comparison, estimate: Estimate, accepted: float | None) -> bool:
    """Whether a trigger such as `roc_auc < 0.95 * accepted` holds for the whole interval.

    Args:
        comparison: The trigger; its reference, if any, is `accepted`.
        estimate: The metric in the window.
        accepted: The metric at acceptance; without it a trigger that refers to it does not hold.
    """
    limit = limit_of(comparison, accepted)
    return limit is not None and surely(comparison.operator, estimate, limit)


def limit_of(comparison: Comparison, accepted: float | None) -> float | None:
    """The bound as a number; None if it refers to an acceptance that is not known."""
    bound = comparison.bound
    if bound.reference is None:
        return bound.offset
    return None if accepted is None else bound.factor * accepted + bound.offset


def surely(operator: str, estimate: Estimate, limit: float) -> bool:
    """Whether the whole interval stands so to the limit."""
    return {
        ">=": estimate.low >= limit,
        ">": estimate.low > limit,
        "<=": estimate.high <= limit,
        "<": estimate.high < limit,
    }[operator]


def quality_findings(
    estimates: Mapping[str, Estimate], accepted: Mapping[str, float], *, concession: float = 0.05
) -> list[QualityFinding]:
    """Compares a window's metrics with those at acceptance.

    Args:
        estimates: From `quality_window`.
        accepted: Values at acceptance; a metric without one is left out.
        concession: Relative loss that is tolerated, .05 for five per cent.
    """
    result = []
    for name, each in estimates.items():
        if name not in accepted:
            continue
        high, base = METRICS[name].higher_is_better, accepted[name]
        bound = base - concession * abs(base) if high else base + concession * abs(base)
        fell = each.high < bound if high else each.low > bound
        sentence = (
            f"{name} {'fell' if fell and high else 'rose' if fell else 'holds'}: {each.value:.4g} "
            f"({each.low:.4g} to {each.high:.4g}, {each.rows} labels) against a bound of {bound:.4g}; "
            f"accepted with {base:.4g}."
        )
        result.append(QualityFinding(name, each, base, bound, fell, sentence))
    return result
