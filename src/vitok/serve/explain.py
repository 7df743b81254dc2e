"""Why a score is what it is: what each input adds to it, against a typical row.

Contributions are Shapley values of the game "score with these inputs of the row and the others of the typical row"
(Lundberg and Lee, NeurIPS 2017, interventional with one background row). They sum to the score less the typical row's
score. With few inputs that differ all coalitions are scored, which is exact; with more, permutations are sampled in
antithetic pairs with a fixed seed (Castro, Gomez and Tejada, Computers & Operations Research 36, 2009), and the sum is
exact all the same. Only the graph that serves is asked, so that this holds for every kind of model.
"""

from collections.abc import Callable, Mapping, Sequence
from math import factorial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vitok.model.bundle import Field

MAX_ROWS = 32
EXACT_INPUTS = 8  # 256 coalitions
_EVALUATIONS = 1_000  # of the model for one row, about; 1 ms to 10 ms
_MOST_PAIRS = 32
_LEAST_PAIRS = 2

Row = Mapping[str, Any]
ScoreRows = Callable[[list[dict[str, Any]]], npt.NDArray[np.float64]]


class Explanation(NamedTuple):
    """What made a score.

    Args:
        base: Score of the typical row.
        contributions: What each input adds; they sum to the score less the base.
        method: `exact`, or `sampled` if there are too many inputs for every coalition.
    """

    base: float
    contributions: dict[str, float]
    method: str


def explain_row(
    score: ScoreRows, row: Row, background: Row, names: Sequence[str], seed: int = 0
) -> Explanation:
    """Explains one row's score.

    Args:
        score: Scores of rows, shape (n,).
        background: A typical row.
        names: The inputs; those that both rows have alike add nothing.
        seed: Of the sampled permutations.

    >>> add = lambda rows: np.array([2.0 * row["a"] + row["b"] * row["c"] for row in rows])
    >>> explain_row(add, {"a": 1, "b": 2, "c": 3}, {"a": 0, "b": 0, "c": 0}, "abc")
    Explanation(base=0.0, contributions={'a': 2.0, 'b': 3.0, 'c': 3.0}, method='exact')
    """
    differing = [name for name in names if row[name] != background[name]]
    found = dict.fromkeys(names, 0.0)
    if len(differing) <= EXACT_INPUTS:
        base, values = _exact(score, row, background, differing)
        method = "exact"
    else:
        base, values = _sampled(score, row, background, differing, seed)
        method = "sampled"
    return Explanation(base, found | dict(zip(differing, values.tolist(), strict=True)), method)


def _exact(
    score: ScoreRows, row: Row, background: Row, names: Sequence[str]
) -> tuple[float, npt.NDArray[np.float64]]:
    count = len(names)
    masks = range(2**count)
    scores = score(
        [_mixed(row, background, [n for place, n in enumerate(names) if mask >> place & 1]) for mask in masks]
    )
    values = np.zeros(count)
    for mask in masks:
        size = mask.bit_count()
        for place in range(count):
            if not mask >> place & 1:
                weight = factorial(size) * factorial(count - size - 1) / factorial(count)
                values[place] += weight * (scores[mask | 1 << place] - scores[mask])
    return float(scores[0]), values


def _sampled(
    score: ScoreRows, row: Row, background: Row, names: Sequence[str], seed: int
) -> tuple[float, npt.NDArray[np.float64]]:
    count, chance = len(names), np.random.default_rng(seed)
    pairs = min(_MOST_PAIRS, max(_LEAST_PAIRS, _EVALUATIONS // (2 * count)))
    orders: list[list[int]] = []
    for _ in range(pairs):
        order = chance.permutation(count).tolist()
        orders += [order, order[::-1]]
    rows = [dict(background)]
    for order in orders:
        mixed = dict(background)
        for place in order:
            mixed = {**mixed, names[place]: row[names[place]]}
            rows.append(mixed)
    scores = score(rows)
    values = np.zeros(count)
    for number, order in enumerate(orders):
        path = np.concatenate([scores[:1], scores[1 + number * count : 1 + (number + 1) * count]])
        values[order] += np.diff(path)
    return float(scores[0]), values / len(orders)


def _mixed(row: Row, background: Row, names: Sequence[str]) -> dict[str, Any]:
    return {**background, **{name: row[name] for name in names}}


def typical_row(fields: Sequence[Field], reference: Mapping[str, Any] | None) -> dict[str, Any]:
    """The row that others are compared with: medians and most frequent levels of the training rows.

    Args:
        reference: Content of the bundle's `reference.json`; where it does not know an input, the example of the
            manifest stands for it.
    """
    bins = {} if reference is None else reference["bins"]
    columns = {} if reference is None else reference["profile"]["columns"]
    return {field.name: _typical(field, bins.get(field.name), columns.get(field.name)) for field in fields}


def _typical(field: Field, bins: Mapping[str, Any] | None, column: Mapping[str, Any] | None) -> Any:
    if bins is None or column is None or not sum(column["counts"]):
        return field.example
    counts = np.array(column["counts"])
    if bins["kind"] == "category":
        level = bins["levels"][int(np.argmax(counts))]
        return level == "true" if field.kind == "boolean" else level
    if field.kind != "number":
        return field.example
    place = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    middle = (bins["edges"][place] + bins["edges"][place + 1]) / 2
    return round(middle) if field.integer else middle
