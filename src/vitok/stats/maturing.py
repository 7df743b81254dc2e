"""The quality of a window whose labels have come only in part, corrected for which of them come early.

Refusals are known at once and defaults after months: the labels of the first days are mostly of one outcome, and
their plain mean is wrong. Each label that has come counts for those like it that have not: it is weighted by one over
the chance that it had to come by now (Horvitz and Thompson, JASA 47, 1952; Hajek's ratio), by outcome and score.
Unlike a figure without labels this one rests on true outcomes, so that it sees concept drift.
"""

import numpy as np
from numpy.typing import NDArray

from vitok.stats.estimates import Estimate
from vitok.stats.intervals import Influence, influence_interval, wilson
from vitok.stats.label_delay import DelayTable, Rows
from vitok.stats.scores import Floats, Undecidable

LEAST_LABELS = 30
# A label that had less than this chance to come would count for more than twenty rows; rows so young are left out.
_LEAST_CHANCE = 0.05


def maturity(rows: Rows, table: DelayTable) -> float:
    """Of the labels of these rows that will come by the horizon, the share that is expected to have come.

    Args:
        rows: The window.
        table: Delays of labels, from `fit_delays`.

    Raises:
        Undecidable: no row was predicted by now.
    """
    sound = rows.sound()
    if not sound.any():
        raise Undecidable("no row was predicted by now")
    place, age = table.bins(rows)[sound], rows.age()[sound]
    come, ever = np.zeros(len(age)), np.zeros(len(age))
    for number in np.unique(place).tolist():
        mine = place == number
        for code in _codes(table):
            curve = table.of(number, code)
            come[mine] += curve.share_come(age[mine])
            ever[mine] += curve.ever
    return float(come.sum() / ever.sum())


def mature_mean(
    values: Floats, rows: Rows, table: DelayTable, *, bottom: Floats | None = None, level: float = 0.90
) -> Estimate:
    """The mean that the window's rows will have once their labels have come: accuracy, an error, money.

    The interval holds the scatter of rows, which grows as fewer labels count for more, and the error of the learned
    delays. It is for the long run of such rows, like those of `vitok.stats.estimates`.

    Args:
        values: Shape (n,): of each row, anything where it has no label. Shares, 0 and 1, get Wilson's interval.
        rows: The window, with scores and outcomes if the table tells them apart.
        table: Delays of labels, from `fit_delays`.
        bottom: Shape (n,): divides by the mean of these; for precision whether the row is flagged, for recall
            whether it is positive, with `values` whether it is both.
        level: Of the central interval.

    Raises:
        Undecidable: fewer than 30 labels have come to rows that are old enough, or a value is missing or infinite.
    """
    chosen, chance, error, cell = _weighed(rows, table)
    below = np.ones(len(values)) if bottom is None else bottom
    value, base = (np.asarray(each, dtype=np.float64)[chosen] for each in (values, below))
    if not (np.isfinite(value).all() and np.isfinite(base).all()):
        raise Undecidable("a labelled row has a missing or infinite value")
    weight = 1 / chance
    whole = float(np.dot(weight, base))
    if whole <= 0:
        raise Undecidable(f"none of {len(value)} labelled rows decides the figure")
    mean = float(np.dot(weight, value)) / whole
    parts = weight * (value - mean * base) / whole
    figure = _figure(mean, parts, error, cell)
    if np.isin(value, (0.0, 1.0)).all() and np.isin(base, (0.0, 1.0)).all() and 0 <= mean <= 1:
        worth = mean * (1 - mean) / figure.variance if figure.variance > 0 else _worth(weight * base)
        bounds = wilson(mean * worth, worth, level)
    else:
        bounds = influence_interval(figure, level)
    return Estimate(mean, *bounds, len(value), "weighted by delay")


def mature_auc(rows: Rows, table: DelayTable, *, level: float = 0.90) -> Estimate:
    """The area under the ROC curve that the window's rows will have once their labels have come.

    Args:
        rows: The window, with scores and outcomes; 1 is positive, anything else negative.
        table: Delays of labels, from `fit_delays`.
        level: Of the central interval.

    Raises:
        Undecidable: fewer than 30 labels, or 5 of one class, have come to rows that are old enough.
    """
    if rows.scores is None or rows.outcomes is None:
        raise Undecidable("the area under the curve needs scores and outcomes")
    chosen, chance, error, cell = _weighed(rows, table)
    scores = np.asarray(rows.scores[chosen], dtype=np.float64)
    positive = np.asarray(rows.outcomes[chosen].astype(np.int64) == 1)
    fewest = min(np.count_nonzero(positive), np.count_nonzero(~positive))
    if fewest < 5:
        raise Undecidable(f"only {fewest} labels of one class among {len(scores)}")
    weight = 1 / chance
    right = np.empty(len(scores))
    right[positive] = _share_below(scores[~positive], weight[~positive], scores[positive])
    right[~positive] = _share_below(-scores[positive], weight[positive], -scores[~positive])
    sums = np.where(positive, weight[positive].sum(), weight[~positive].sum())
    area = float(np.dot(weight[positive], right[positive]) / weight[positive].sum())
    figure = _figure(area, weight * (right - area) / sums, error, cell, is_share=True)
    return Estimate(area, *influence_interval(figure, level), len(scores), "weighted by delay")


def _share_below(others: Floats, weights: Floats, mine: Floats) -> Floats:
    """Shape (n,): by weight, the share of the others below each of mine; ties count half."""
    order = np.argsort(others)
    reached = np.concatenate([[0.0], np.cumsum(weights[order])])
    ranked = others[order]
    both = reached[np.searchsorted(ranked, mine)] + reached[np.searchsorted(ranked, mine, "right")]
    return np.asarray(both / (2 * reached[-1]))


def _codes(table: DelayTable) -> list[int]:
    """Outcome codes that the table tells apart; -1 alone if it does not."""
    return sorted({code for _, code in table.curves} - {-1}) or [-1]


def _weighed(rows: Rows, table: DelayTable) -> tuple[NDArray[np.bool_], Floats, Floats, NDArray[np.int64]]:
    """Which rows count: labelled, and old enough for a label of any outcome to have come.

    Leaving out young rows with and without a label changes nothing but the number, as no outcome is favoured.

    Returns:
        A mask of n, and for the rows in it the chance that the label had to come by now, the standard error of
        its logarithm, and the number of its curve.
    """
    place, age, sound = table.bins(rows), rows.age(), rows.sound()
    codes, labelled = _codes(table), rows.has_label()
    chosen, chance = labelled.copy(), np.ones(len(age))
    error, cell = np.zeros(len(age)), np.zeros(len(age), dtype=np.int64)
    curves: list[object] = []
    for number in np.unique(place[sound]).tolist():
        for code in codes:
            curve = table.of(number, code)
            grown = curve.maturity(np.where(sound, age, 0.0))
            chosen &= (place != number) | (grown >= _LEAST_CHANCE)
            mine = labelled & (place == number) & (_outcomes(rows, codes) == code)
            chance[mine] = np.maximum(grown[mine], _LEAST_CHANCE)
            error[mine] = np.sqrt((1 - chance[mine]) / (chance[mine] * curve.labels))
            if curve not in curves:
                curves.append(curve)
            cell[mine] = curves.index(curve)
    if np.count_nonzero(chosen) < LEAST_LABELS:
        raise Undecidable(
            f"{np.count_nonzero(chosen)} labels have come to rows that are old enough, {LEAST_LABELS} are needed"
        )
    return chosen, chance[chosen], error[chosen], cell[chosen]


def _outcomes(rows: Rows, codes: list[int]) -> NDArray[np.int64]:
    """Shape (n,): outcome codes where there is a label; an outcome that the table lacks goes by the first one."""
    if codes == [-1] or rows.outcomes is None:
        return np.full(len(rows.asked), codes[0], dtype=np.int64)
    found = np.full(len(rows.asked), codes[0], dtype=np.int64)
    labelled = rows.has_label()
    found[labelled] = rows.outcomes[labelled].astype(np.int64)
    return np.where(np.isin(found, codes), found, codes[0])


def _figure(
    value: float, parts: Floats, error: Floats, cell: NDArray[np.int64], *, is_share: bool = False
) -> Influence:
    """Scatter of rows, and that of the delays: rows of one curve err together."""
    n = len(parts)
    together = float(np.sum(np.bincount(cell, parts * error) ** 2))
    scale = n * np.sqrt(n / (n - 1))
    return Influence(value, parts * scale, "logit" if is_share else "identity", together, free=n - 1)


def _worth(weights: Floats) -> float:
    """How many rows of equal weight these are worth (Kish, 1965)."""
    return float(weights.sum() ** 2 / np.dot(weights, weights))
