"""What decisions earn: profit by threshold, the cost of errors, and what deciding without a model would earn."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitok.stats.estimates import Estimate, estimate, estimate_difference
from vitok.stats.intervals import wilson
from vitok.stats.scores import Costs, Floats, Scored, Undecidable, confusion
from vitok.stats.thresholds import best_threshold, elkan_threshold

PROFIT = "profit_per_1000"
CURVE_POINTS = 101


@dataclass(frozen=True, slots=True)
class Policy:
    """A way to decide, and what it earns on the test rows.

    Args:
        threshold: From this score on a row is flagged; None where no score is used.
        flagged: Flagged rows per 1 000 decisions.
        profit: Money per 1 000 decisions with its 90 % interval.
    """

    threshold: float | None
    flagged: float
    profit: Estimate


@dataclass(frozen=True, slots=True)
class ErrorCosts:
    """What wrong decisions cost per 1 000 decisions, each beside the right decision for the same row.

    Args:
        false_positives, false_negatives: Money lost by each kind, with its 90 % interval.
        total: Both; what is lost against a perfect model.
        best_constant: `flag nobody` or `flag everybody`, whichever earns more.
        over_constant: Money earned over that one, on the same rows.
    """

    false_positives: Estimate
    false_negatives: Estimate
    total: Estimate
    best_constant: str
    over_constant: Estimate


def profit_curve(scored: Scored) -> list[tuple[float, float, float]]:
    """Profit as a function of the threshold.

    Half of the thresholds are spread evenly, half by the scores' quantiles: costs that differ much put the
    interesting part where most scores are.

    Args:
        scored: Binary answers with costs.

    Returns:
        At most 101 times (threshold, profit per 1 000 decisions, flagged per 1 000), thresholds rising.

    Raises:
        Undecidable: no costs, or no rows.

    >>> answers = Scored("binary", np.array([0, 1]), np.array([0.2, 0.8]), costs=(40.0, -10.0, 0.0, 0.0))
    >>> [point for point in profit_curve(answers) if point[0] in (0.0, 0.5, 1.0)]
    [(0.0, 15000.0, 1000.0), (0.5, 20000.0, 500.0), (1.0, 0.0, 0.0)]
    """
    if scored.costs is None or scored.rows == 0:
        raise Undecidable("no costs, or no rows")
    cuts = _grid(scored.scores.astype(np.float64))
    order = np.argsort(scored.scores.astype(np.float64), kind="stable")
    ranked = scored.scores.astype(np.float64)[order]
    positive = scored.truth.astype(np.int64)[order] == 1
    below = np.searchsorted(ranked, cuts, side="left")  # rows that stay unflagged: score < cut
    missed = np.concatenate([[0], np.cumsum(positive)])[below].astype(np.float64)
    tp, fn, tn = positive.sum() - missed, missed, below - missed
    fp = scored.rows - below - tp
    profit = 1000 / scored.rows * (np.stack([tp, fp, fn, tn], axis=1) @ np.array(scored.costs))
    flagged = 1000 * (tp + fp) / scored.rows
    return [
        (float(cut), float(money), float(part))
        for cut, money, part in zip(cuts, profit, flagged, strict=True)
    ]


def _grid(scores: Floats) -> Floats:
    low, high = min(0.0, float(scores.min())), max(1.0, float(scores.max()))
    even = np.linspace(low, high, (CURVE_POINTS + 1) // 2)
    spread = np.quantile(scores, np.linspace(0.01, 0.99, CURVE_POINTS - len(even)))
    return np.unique(np.concatenate([even, spread]))


def policies(scored: Scored, used: float) -> dict[str, Policy]:
    """What the ways to decide earn on the same rows: by threshold, all alike, and without any error.

    Args:
        scored: Binary answers with costs.
        used: The threshold in use.

    Returns:
        `used`, `best` (most profit on these rows, so a little flattered by them), `elkan` (best for calibrated
        probabilities; left out if the costs have none), `flag_nobody`, `flag_everybody`, `perfect`.

    Raises:
        Undecidable: the rows are all of one class, or there are no costs.
    """
    scores, truth = scored.scores.astype(np.float64), scored.truth.astype(np.int64)
    if scored.costs is None or truth.min() == truth.max():
        raise Undecidable("no costs, or rows of one class only")
    cuts: dict[str, float] = {"used": used, "best": best_threshold(scored.truth, scores, scored.costs)}
    if is_sensible(scored.costs):
        cuts["elkan"] = elkan_threshold(scored.costs)
    found = {name: _policy(scored, scores >= cut, cut) for name, cut in cuts.items()}
    constant = np.zeros(scored.rows, dtype=np.bool_)
    return found | {
        "flag_nobody": _policy(scored, constant, None),
        "flag_everybody": _policy(scored, ~constant, None),
        "perfect": _policy(scored, truth == 1, None),
    }


def is_sensible(costs: Costs) -> bool:
    """Whether the right decision earns more than the wrong one, for positive and for negative rows."""
    tp, fp, fn, tn = costs
    return tp > fn and tn > fp


def _decided(scored: Scored, flagged: NDArray[np.bool_]) -> Scored:
    return replace(scored, decisions=flagged.astype(np.int64))


def _policy(scored: Scored, flagged: NDArray[np.bool_], threshold: float | None) -> Policy:
    return Policy(threshold, 1000 * float(flagged.mean()), estimate(PROFIT, _decided(scored, flagged)))


def error_costs(scored: Scored) -> ErrorCosts:
    """What the errors of the decisions cost.

    An error is priced by the difference to the right decision: a false positive at tn - fp, a false negative at
    tp - fn. So the costs of both kinds add up to what is lost against a perfect model.

    Args:
        scored: Binary answers with decisions and costs.

    Raises:
        Undecidable: no costs, costs by which errors pay, rows of one class.

    >>> money = (40.0, -5.0, -60.0, 0.0)
    >>> answers = Scored("binary", np.array([1, 1, 0, 0]), np.zeros(4), np.array([1, 0, 0, 1]), money)
    >>> costs = error_costs(answers)
    >>> costs.false_positives.value, costs.false_negatives.value, costs.total.value
    (1250.0, 25000.0, 26250.0)
    """
    if scored.costs is None or not is_sensible(scored.costs):
        raise Undecidable("no costs, or costs by which errors pay")
    tp, fp, fn, tn = scored.costs
    _, vain, missed, _ = confusion(scored)
    everybody = _decided(scored, np.ones(scored.rows, dtype=np.bool_))
    nobody = _decided(scored, np.zeros(scored.rows, dtype=np.bool_))
    gains = [(name, estimate(PROFIT, other).value, other) for name, other in
             (("flag nobody", nobody), ("flag everybody", everybody))]  # fmt: skip
    name, _, constant = max(gains, key=lambda gain: gain[1])
    return ErrorCosts(
        false_positives=_priced(vain, scored.rows, tn - fp),
        false_negatives=_priced(missed, scored.rows, tp - fn),
        total=_total(scored, tn - fp, tp - fn),
        best_constant=name,
        over_constant=estimate_difference(PROFIT, scored, constant),
    )


def _priced(errors: int, rows: int, price: float) -> Estimate:
    """A share of the rows times a price, per 1 000 decisions; Wilson's interval of the share."""
    low, high = wilson(errors, rows)
    unit = 1000 * price
    return Estimate(unit * errors / rows, unit * low, unit * high, rows, "Wilson")


def _total(scored: Scored, vain: float, missed: float) -> Estimate:
    """The cost of all errors; where none was made, bounded by the dearer kind."""
    tp, fp, fn, tn = confusion(scored)
    if fp + fn == 0:
        return _priced(0, scored.rows, max(vain, missed))
    if tp + tn == 0 and min(fp, fn) == 0:  # every row is the same error
        return _priced(fp + fn, scored.rows, missed if fn else vain)
    found = estimate(PROFIT, replace(scored, costs=(0.0, vain, missed, 0.0)))
    return replace(found, low=max(0.0, found.low))
