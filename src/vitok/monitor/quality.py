"""Quality of a window on its labels, whether it fell for certain, and the evidence that it did."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vitok.charter.expressions import Comparison
from vitok.stats.catalogue import METRICS
from vitok.stats.edetectors import NO_EVIDENCE, EValues, normal_e_values
from vitok.stats.estimates import Estimate, estimate
from vitok.stats.scores import Scored, Undecidable

# Half the width of a 90 % interval in standard errors.
_HALF_WIDTH = 1.645
# What is assumed of the spread between windows until they tell it themselves: as if so many had been seen in which it
# was as large as the error of a window.
_ASSUMED_WINDOWS = 4
# Further back the world was another one.
PAST_WINDOWS = 60
# Windows whose labels have come, by which later estimates are corrected, and the least that can do so.
_CHECKED_WINDOWS, _LEAST_CHECKED = 14, 5


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
        evidence: E-values against "the metric is on the good side of the bound, on average over windows".
    """

    metric: str
    estimate: Estimate
    accepted: float
    bound: float
    alarm: bool
    sentence: str
    evidence: EValues = NO_EVIDENCE

    @property
    def speaks(self) -> bool:
        """Whether this window is evidence that the metric is on the bad side of its bound."""
        return sum(self.evidence) > len(self.evidence)

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {**asdict(self), "evidence": list(self.evidence)}


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


@dataclass(frozen=True, slots=True)
class Accepted:
    """A metric when the model was accepted.

    Args:
        value: The figure.
        sure: The bad end of its interval: the truth is hardly worse.
    """

    value: float
    sure: float


def quality_findings(
    estimates: Mapping[str, Estimate],
    accepted: Mapping[str, Accepted],
    *,
    concession: float = 0.05,
    past: Mapping[str, Sequence[Estimate]] | None = None,
) -> list[QualityFinding]:
    """Compares a window's metrics with those at acceptance.

    Args:
        estimates: From `quality_window`.
        accepted: Values at acceptance; a metric without one is left out.
        concession: Relative loss that is tolerated, .05 for five per cent.
        past: By metric the estimates of the windows before, oldest first.
    """
    result = []
    for name, each in estimates.items():
        if name not in accepted:
            continue
        high, base = METRICS[name].higher_is_better, accepted[name].value
        tolerated = (-1 if high else 1) * concession * abs(base)
        bound = base + tolerated
        fell = each.high < bound if high else each.low > bound
        # The accepted figure is an estimate too; held against all windows of a year its error would not average out.
        sure = accepted[name].sure + tolerated
        spread = spread_between((past or {}).get(name, ()), each)
        sentence = (
            f"{name} {'fell' if fell and high else 'rose' if fell else 'holds'}: {each.value:.4g} "
            f"({each.low:.4g} to {each.high:.4g}, {each.rows} labels) against a bound of {bound:.4g}; "
            f"accepted with {base:.4g}."
        )
        evidence = evidence_beyond(each, sure, wants_high=high, spread=spread)
        result.append(QualityFinding(name, each, base, bound, fell, sentence, evidence))
    return result


def evidence_beyond(found: Estimate, bound: float, *, wants_high: bool, spread: float = 0.0) -> EValues:
    """E-values against "the figure is on the good side of its bound".

    Args:
        found: A figure with its 90 % interval.
        wants_high: Whether more is better.
        spread: Standard deviation of the true figure between windows.
    """
    # The side of the interval that faces the bound says how far chance may have carried the figure away from it.
    error = (found.high - found.value if wants_high else found.value - found.low) / _HALF_WIDTH
    excess = bound - found.value if wants_high else found.value - bound
    deviation = math.hypot(error, spread)
    if deviation <= 0 or not math.isfinite(deviation):
        return NO_EVIDENCE
    return normal_e_values(excess, deviation)


def spread_between(past: Sequence[Estimate], now: Estimate) -> float:
    """How much the true figure differs from window to window, beside the error of each estimate.

    Taken from the differences of neighbours, so that a lasting fall does not hide in it.

    Args:
        past: Windows before, oldest first; the last 60 count.
        now: The present window, whose error says what is assumed until there are many.
    """
    error = (now.high - now.low) / 2 / _HALF_WIDTH
    recent = [each for each in past if math.isfinite(each.value)][-PAST_WINDOWS:]
    assumed = _ASSUMED_WINDOWS * error**2
    if len(recent) < 2:
        return error
    values = np.array([each.value for each in recent])
    errors = np.array([(each.high - each.low) / 2 / _HALF_WIDTH for each in recent])
    between = max(0.0, float(np.mean(np.diff(values) ** 2) / 2 - np.mean(errors**2)))
    return math.sqrt((assumed + between * len(recent)) / (_ASSUMED_WINDOWS + len(recent)))


def corrected(
    estimates: Mapping[str, Estimate], past: Sequence[tuple[Mapping[str, Estimate], Mapping[str, Estimate]]]
) -> dict[str, Estimate]:
    """Estimates without labels, moved by how far the last ones were from what labels then said.

    What the scores cannot know, such as noise in the labels or another season, is the same for some time. With fewer
    than five windows whose labels have come an estimate stays as it is.

    Args:
        estimates: Of the window, by metric.
        past: What was estimated and what came true in windows before, oldest first; the last 14 count.
    """
    result = dict(estimates)
    for name, each in estimates.items():
        gaps = [true[name].value - told[name].value for told, true in past if name in told and name in true]
        gaps = gaps[-_CHECKED_WINDOWS:]
        if len(gaps) < _LEAST_CHECKED:
            continue
        move, more = float(np.mean(gaps)), _HALF_WIDTH * float(np.std(gaps, ddof=1))
        value = each.value + move
        low = value - math.hypot(each.value - each.low, more)
        high = value + math.hypot(each.high - each.value, more)
        result[name] = Estimate(
            value, low, high, each.rows, f"{each.method}, corrected by {len(gaps)} windows"
        )
    return result
