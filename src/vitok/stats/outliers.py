"""How unlike the training rows a row is: rare values add up, and held-out rows say how much is usual.

A value is surprising by the share of training rows whose values are no likelier than it (the probability outside of its
highest-density region: Hyndman, The American Statistician 50, 1996), from the bins of the reference profile. A row's
score is the sum of minus the logarithms over its inputs (Fisher's combination). No law is assumed for the sum: the
held-out rows tell how many rows are as strange (a conformal p-value: Bates et al., Annals of Statistics 51, 2023), so
that "beyond 99.9 %" is met by about one in a thousand rows as long as nothing has changed.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from vitok.stats.scores import Floats

_FAR, _MOST = 1e300, 1e6  # beyond these nothing becomes stranger


class Strangeness(NamedTuple):
    """How strange some rows are.

    Args:
        ranks: Shape (n,): the share of known rows that are less strange, 0 to 1.
        most: For each row the input that makes it strange most.
    """

    ranks: Floats
    most: list[str]

    def reason(self, row: int) -> str:
        """Why a row is an outlier, in words."""
        return f"stranger than {100 * self.ranks[row]:.4g}% of known rows, most by {self.most[row]}"


@dataclass(frozen=True, slots=True)
class NumberSurprises:
    """How surprising the values of a numeric input are.

    Args:
        edges: Of the reference's bins, rising; empty if it has no value.
        bins: Surprise of each bin.
        beyond: Surprise just outside of the edges.
        below, above: What a unit of distance beyond the first and the last edge adds.
        missing: Surprise of no value.
    """

    name: str
    edges: tuple[float, ...]
    bins: tuple[float, ...]
    beyond: float
    below: float
    above: float
    missing: float

    def of(self, values: Floats) -> Floats:
        """Surprises of values, shape (n,); NaN is missing."""
        if not self.edges:
            return np.where(np.isnan(values), self.missing, self.beyond)
        places = np.searchsorted(self.edges, values, "right") - 1
        found = np.asarray(self.bins)[np.clip(places, 0, len(self.bins) - 1)]
        for edge, sign, rate in ((self.edges[0], -1.0, self.below), (self.edges[-1], 1.0, self.above)):
            far = _distances(values, edge, sign)
            if (far > 0).any():
                found = np.where(far > 0, _beyond(self.beyond, rate, far), found)
        return np.where(np.isnan(values), self.missing, found)

    def one(self, value: float | None) -> float:
        """The surprise of one value, as `of` has it."""
        if value is None or value != value:
            return self.missing
        if not self.edges:
            return self.beyond
        if value < self.edges[0]:
            return min(self.beyond + self.below * min(self.edges[0] - value, _FAR), _MOST)
        if value > self.edges[-1]:
            return min(self.beyond + self.above * min(value - self.edges[-1], _FAR), _MOST)
        return self.bins[min(bisect_right(self.edges, value), len(self.bins)) - 1]


def _distances(values: Floats, edge: float, sign: float) -> Floats:
    """How far values lie beyond an edge, at most so far that sums stay finite; below 0 within."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.minimum(sign * (values - edge), _FAR))


def _beyond(base: float, rate: float, distances: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return np.asarray(np.minimum(base + rate * distances, _MOST))


@dataclass(frozen=True, slots=True)
class LevelSurprises:
    """How surprising the levels of a category or a truth value are.

    Args:
        levels: Surprise by level.
        unseen: Surprise of any other level.
        missing: Surprise of no value.
    """

    name: str
    levels: Mapping[str, float]
    unseen: float
    missing: float

    def of(self, values: Sequence[str | bool | None]) -> Floats:
        """Surprises of values, shape (n,); a truth value counts as `true` or `false`."""
        return np.array([self.one(value) for value in values], dtype=np.float64)

    def one(self, value: str | bool | None) -> float:
        if value is None:
            return self.missing
        text = str(value).lower() if isinstance(value, bool) else value
        return self.levels.get(text, self.unseen)


@dataclass(frozen=True, slots=True)
class Outliers:
    """What a bundle keeps to judge rows by.

    Args:
        numbers, levels: The inputs that are looked at.
        scores: Of held-out rows, rising; some of them, the strangest all.
        above: For each of those, how many held-out rows are at least as strange.
        rows: Held-out rows.
    """

    numbers: tuple[NumberSurprises, ...]
    levels: tuple[LevelSurprises, ...]
    scores: tuple[float, ...]
    above: tuple[int, ...]
    rows: int

    @property
    def number_names(self) -> tuple[str, ...]:
        """Names of the numeric inputs, in order."""
        return tuple(each.name for each in self.numbers)

    @property
    def _names(self) -> list[str]:
        return [*self.number_names, *(each.name for each in self.levels)]

    @property
    def highest(self) -> float:
        """The rank of a row that is stranger than every held-out row: no limit above it is ever met."""
        return 1 - 1 / (self.rows + 1)

    def judge(self, numbers: Sequence[Floats], levels: Sequence[Floats]) -> Strangeness:
        """Judges rows.

        Args:
            numbers: Values of `number_names`, each of shape (n,); NaN is missing.
            levels: Surprises of the levels, one array of shape (n,) for each of `levels`.
        """
        parts = [each.of(values) for each, values in zip(self.numbers, numbers, strict=True)]
        matrix = np.stack([*parts, *levels])
        names = self._names
        return Strangeness(self.ranks(matrix.sum(axis=0)), [names[place] for place in matrix.argmax(axis=0)])

    def judge_few(
        self, numbers: Sequence[Sequence[float | None]], levels: Sequence[Sequence[str | bool | None]]
    ) -> Strangeness:
        """Judges some rows one by one, as `judge` does: for a row or a few that takes a tenth of the time.

        Args:
            numbers, levels: Values of `numbers` and `levels`, a column each.
        """
        found: list[Sequence[float]] = []
        for number, values in zip(self.numbers, numbers, strict=True):
            found.append([number.one(value) for value in values])
        for level, texts in zip(self.levels, levels, strict=True):
            found.append([level.one(text) for text in texts])
        names, ranks, most = self._names, [], []
        for parts in zip(*found, strict=True):
            score = 0.0
            for part in parts:  # in the order in which columns are added up
                score += part
            ranks.append(self._rank(score))
            most.append(names[parts.index(max(parts))])
        return Strangeness(np.array(ranks, dtype=np.float64), most)

    def _rank(self, score: float) -> float:
        place = bisect_right(self.scores, score) - 1
        above = self.rows if place < 0 else 0 if score > self.scores[-1] else self.above[place]
        return 1 - (1 + above) / (self.rows + 1)

    def ranks(self, scores: Floats) -> Floats:
        """The share of known rows that are less strange, for scores of shape (n,); never more than is certain."""
        known = np.asarray(self.scores)
        places = np.searchsorted(known, scores, "right") - 1
        above = np.where(places < 0, self.rows, np.asarray(self.above)[places])
        above = np.where(scores > known[-1], 0, above)
        return np.asarray(1 - (1 + above) / (self.rows + 1), dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Outliers":
        """Reads a table."""
        numbers = tuple(
            NumberSurprises(**{**each, "edges": tuple(each["edges"]), "bins": tuple(each["bins"])})
            for each in value["numbers"]
        )
        levels = tuple(LevelSurprises(**each) for each in value["levels"])
        return Outliers(numbers, levels, tuple(value["scores"]), tuple(value["above"]), int(value["rows"]))
