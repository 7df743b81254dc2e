"""Groups of rows that nobody named and in which a model does worse than elsewhere.

A shallow tree looks for them on one half of the rows, by the loss of each row; the other half, which has not chosen
them, says which are really worse (Chung, Kraska, Polyzotis, Tae and Whang, Slice Finder, ICDE 2019, with honest halves
as in Athey and Imbens, PNAS 113, 2016).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vitok.stats.catalogue import METRICS
from vitok.stats.scores import Floats, Scored, Undecidable, binary_truth, decisions_of, payoffs, probabilities

Mask = NDArray[np.bool_]
LEAST_GROUP = 100
_DEPTH, _BINS, _MOST_GROUPS = 3, 32, 8
# Rows of the overall mean that each level of a category is given, so that rare levels do not lead by chance.
_PRIOR = 50.0
# A group must stand out so far on the rows that find it, in standard errors, to be worth a test on the others.
_OUTSTANDING = 2.0
# A score that is surely wrong has no end of a loss; beyond this quantile all losses count alike.
_WORST = 0.995
_TOLD_LEVELS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What a model was asked with.

    Args:
        names: Of the columns.
        values: Shape (n, f): NaN where missing; of a category the place among its levels.
        levels: Of the columns that are categories.
    """

    names: tuple[str, ...]
    values: Floats
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def take(self, rows: Mask) -> "Inputs":
        """Some of the rows."""
        return Inputs(self.names, self.values[rows], self.levels)


@dataclass(frozen=True, slots=True, eq=False)
class _Codes:
    """How a column's values become codes; the last code is "missing".

    Args:
        edges: Of a number: upper ends of all bins but the last.
        levels: Of a category.
    """

    edges: Floats
    levels: tuple[str, ...] | None

    @property
    def size(self) -> int:
        return 1 + (len(self.edges) + 1 if self.levels is None else len(self.levels))

    def of(self, values: Floats) -> NDArray[np.int64]:
        known = np.isfinite(values)
        found = np.full(len(values), self.size - 1, dtype=np.int64)
        if self.levels is None:
            found[known] = np.searchsorted(self.edges, values[known], "left")
        else:
            found[known] = values[known].astype(np.int64)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Rows that meet all of some conditions.

    Args:
        allowed: By column, which of its codes belong to the group.
        codes: By column, how its values become codes.
    """

    allowed: Mapping[str, Mask]
    codes: Mapping[str, _Codes]

    def mask(self, inputs: Inputs) -> Mask:
        """Shape (n,): which rows belong to the group."""
        inside = np.ones(len(inputs.values), dtype=np.bool_)
        for name, codes in self.allowed.items():
            inside &= codes[self.codes[name].of(inputs.values[:, inputs.names.index(name)])]
        return inside

    def __str__(self) -> str:
        return " and ".join(_words(name, each, self.codes[name]) for name, each in self.allowed.items())


def row_losses(metric: str, scored: Scored) -> list[Floats]:
    """Each of shape (n,): what a row has to do with a metric being bad; they guide the search and prove nothing.

    Its error or its money; of metrics of scores its log loss, of `roc_auc` also the share of the other class that it is
    wrongly ranked to.

    Raises:
        Undecidable: these rows cannot tell it.
    """
    if metric == "profit_per_1000":
        return [-payoffs(scored)]
    if METRICS[metric].uses == "decision":
        return [np.asarray(decisions_of(scored) != scored.truth, dtype=np.float64)]
    if scored.task == "regression":
        gap = np.abs(scored.scores.astype(np.float64) - scored.truth.astype(np.float64))
        return [_without_worst(gap if metric in ("mae", "mape") else gap**2)]
    surprise = _without_worst(-np.log(np.maximum(_true_chance(scored), 1e-12)))
    return [_misplaced(scored), surprise] if metric == "roc_auc" and scored.task == "binary" else [surprise]


def _without_worst(loss: Floats) -> Floats:
    return np.asarray(np.minimum(loss, np.quantile(loss, _WORST)))


def _misplaced(scored: Scored) -> Floats:
    positive, scores = binary_truth(scored), scored.scores.astype(np.float64)
    found = np.empty(len(scores))
    for mine, sign in ((positive, 1.0), (~positive, -1.0)):
        others, own = np.sort(sign * scores[~mine]), sign * scores[mine]
        below = np.searchsorted(others, own, "left") + np.searchsorted(others, own, "right")
        found[mine] = 1 - below / (2 * len(others))
    return found


def _true_chance(scored: Scored) -> Floats:
    """Shape (n,): the probability that was given to what came true."""
    chance, truth = probabilities(scored), scored.truth.astype(np.int64)
    if chance.ndim == 2:
        return np.asarray(chance[np.arange(len(truth)), truth])
    return np.where(truth == 1, chance, 1 - chance)


def find_groups(inputs: Inputs, losses: Sequence[Floats], *, least_rows: int = LEAST_GROUP) -> list[Group]:
    """Groups whose mean loss stands out, by each loss the most outstanding first; of one loss no two share a row.

    All nodes of a tree of depth three are looked at, so that a group is told as widely as it reaches.

    Args:
        inputs: Of the rows that find.
        losses: Each of shape (n,).
        least_rows: Of a group, and of what is left without it.

    Raises:
        Undecidable: fewer than twice as many rows.
    """
    count = len(inputs.values)
    if count < 2 * least_rows:
        raise Undecidable(f"{count} rows are too few to find groups in, {2 * least_rows} are needed")
    codes = {name: _codes(inputs, place) for place, name in enumerate(inputs.names)}
    values = {name: codes[name].of(inputs.values[:, place]) for place, name in enumerate(inputs.names)}
    found = [group for loss in losses for group in _outstanding(_Tree(codes, values, loss, least_rows))]
    return list({str(group): group for group in found}.values())


def _outstanding(tree: "_Tree") -> list[Group]:
    nodes = [
        (_standing_out(tree.loss, rows), allowed, rows)
        for allowed, rows in tree.nodes(np.arange(len(tree.loss)), {}, 0)
    ]
    groups: list[Group] = []
    taken = np.zeros(len(tree.loss), dtype=np.bool_)
    for score, allowed, rows in sorted(nodes, key=lambda each: -each[0]):
        if score >= _OUTSTANDING and not taken[rows].any() and len(groups) < _MOST_GROUPS:
            taken[rows] = True
            groups.append(Group(allowed, tree.codes))
    return groups


def _codes(inputs: Inputs, place: int) -> _Codes:
    name = inputs.names[place]
    if name in inputs.levels:
        return _Codes(np.empty(0), inputs.levels[name])
    column = inputs.values[:, place]
    known = column[np.isfinite(column)]
    if not len(known):
        return _Codes(np.empty(0), None)
    cuts = np.quantile(known, np.arange(1, _BINS) / _BINS, method="lower")
    return _Codes(np.unique(cuts[cuts < known.max()]), None)


def _standing_out(loss: Floats, rows: NDArray[np.int64]) -> float:
    """By how many standard errors the mean loss of some rows is above that of the others."""
    inside = np.zeros(len(loss), dtype=np.bool_)
    inside[rows] = True
    here, there = loss[inside], loss[~inside]
    error = float(np.sqrt(here.var() / len(here) + there.var() / max(1, len(there))))
    return float(here.mean() - there.mean()) / error if error > 0 and len(there) else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Tree:
    """A tree of the mean loss by least squares."""

    codes: Mapping[str, _Codes]
    values: Mapping[str, NDArray[np.int64]]
    loss: Floats
    least: int

    def nodes(
        self, rows: NDArray[np.int64], allowed: Mapping[str, Mask], depth: int
    ) -> Iterator[tuple[Mapping[str, Mask], NDArray[np.int64]]]:
        """All nodes below one."""
        best = max((self._split(name, rows) for name in self.codes), key=lambda each: each[0], default=None)
        if best is None or best[0] <= 0:
            return
        _, name, left, there = best
        before = allowed.get(name, np.ones(self.codes[name].size, dtype=np.bool_))
        for side in (left, ~left):
            mine = {**allowed, name: before & side & there}
            inside = rows[side[self.values[name][rows]]]
            yield mine, inside
            if depth + 1 < _DEPTH and len(inside) >= 2 * self.least:
                yield from self.nodes(inside, mine, depth + 1)

    def _split(self, name: str, rows: NDArray[np.int64]) -> tuple[float, str, Mask, Mask]:
        """The best split of a column: what it gains, its left codes, and the codes that are there at all."""
        codes, values = self.codes[name], self.values[name][rows]
        counts = np.bincount(values, minlength=codes.size).astype(np.float64)
        sums = np.bincount(values, self.loss[rows], minlength=codes.size).astype(np.float64)
        there = counts > 0
        places = np.arange(codes.size)
        if codes.levels is None:
            # Missing values go with the high ones, or with the low ones.
            orders = [places, np.roll(places, 1)]
            there = there | (places < codes.size - 1)  # a range has no holes
        else:  # the best two sets of levels are neighbours in the order of their means (Fisher 1958)
            mean = sums.sum() / counts.sum()
            orders = [np.argsort((sums + _PRIOR * mean) / (counts + _PRIOR), kind="stable")]
        best, left = 0.0, np.zeros(codes.size, dtype=np.bool_)
        for order in orders:
            gain, cut = self._best_cut(counts[order], sums[order])
            if gain > best:
                best, left = gain, np.isin(places, order[: cut + 1])
        return best, name, left, there

    def _best_cut(self, counts: Floats, sums: Floats) -> tuple[float, int]:
        here, loss = np.cumsum(counts)[:-1], np.cumsum(sums)[:-1]
        rest, more = counts.sum() - here, sums.sum() - loss
        fits = (here >= self.least) & (rest >= self.least)
        if not fits.any():
            return 0.0, 0
        here, rest = np.where(fits, here, 1.0), np.where(fits, rest, 1.0)
        gain = np.where(fits, loss**2 / here + more**2 / rest - sums.sum() ** 2 / counts.sum(), 0.0)
        cut = int(np.argmax(gain))
        return float(gain[cut]), cut


def _words(name: str, allowed: Mask, codes: _Codes) -> str:
    """A condition as people say it."""
    if codes.levels is not None:
        return _level_words(name, allowed, [*codes.levels, "missing"])
    inside, missing = np.flatnonzero(allowed[:-1]), bool(allowed[-1])
    if not len(inside):
        return f"{name} is missing"
    low = None if inside[0] == 0 else codes.edges[inside[0] - 1]
    high = None if inside[-1] == len(codes.edges) else codes.edges[inside[-1]]
    if low is None and high is None:
        return f"{name} is known"
    if high is None:
        said = f"{name} > {low:.6g}"
    else:
        said = f"{name} <= {high:.6g}" if low is None else f"{low:.6g} < {name} <= {high:.6g}"
    return f"({said} or missing)" if missing else said


def _level_words(name: str, allowed: Mask, levels: Sequence[str]) -> str:
    said = [level for level, each in zip(levels, allowed, strict=True) if each]
    more = len(said) - _TOLD_LEVELS
    if more > 1:
        return f"{name} is one of {', '.join(said[:_TOLD_LEVELS])} and {more} more"
    return f"{name} is {said[0]}" if len(said) == 1 else f"{name} is one of {', '.join(said)}"
