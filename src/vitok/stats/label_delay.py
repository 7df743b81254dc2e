"""How long labels take to come, learned while many have not come yet and some never will.

A row without a label is not a row without an outcome: its label may be on its way. Kaplan and Meier's curve (JASA 53,
1958) counts such rows as "not by this age"; where the delay depends on the outcome, Aalen and Johansen's (Scand. J.
Statistics 5, 1978) splits it into one curve for each outcome.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitok.stats.scores import Floats, Undecidable

LEAST_OLD = 50  # rows that must have reached an age before the curve speaks of it
LEAST_LABELS = 30
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Predictions and when their labels came, in seconds since any one moment.

    Stated behaviour of odd clocks: a label before its prediction counts as come at once; a label from the future has
    not come; a prediction from the future, or without a time, is left out.

    Args:
        asked: Shape (n,): when each was predicted.
        known: Shape (n,): when its label came, NaN if it has not.
        now: The moment of looking.
        scores: Shape (n,): probability or predicted value, if curves are to differ by it.
        outcomes: Shape (n,): codes of outcomes such as 0 and 1, anything where there is no label; if curves are to
            differ by it.
    """

    asked: Floats
    known: Floats
    now: float
    scores: Floats | None = None
    outcomes: NDArray[np.generic] | None = None

    def sound(self) -> NDArray[np.bool_]:
        """Shape (n,): rows that were predicted by now."""
        return np.asarray(self.asked <= self.now)  # false for NaN

    def has_label(self) -> NDArray[np.bool_]:
        """Shape (n,): rows whose label has come by now."""
        return np.asarray(self.sound() & (self.known <= self.now))

    def age(self) -> Floats:
        """Shape (n,): seconds since the prediction."""
        return np.asarray(self.now - self.asked, dtype=np.float64)

    def delay(self) -> Floats:
        """Shape (n,): seconds that the label took, not negative; NaN without a label."""
        return np.where(self.has_label(), np.maximum(self.known - self.asked, 0.0), np.nan)


@dataclass(frozen=True, slots=True)
class DelayCurve:
    """The share of rows whose label has come, by age; of one outcome: whose label has come and says so.

    Args:
        ages: Shape (s,), seconds, rising: where the curve steps up.
        come: Shape (s,): share of all rows whose label has come by then.
        horizon: The age up to which the curve was seen; labels that come later count as never come.
        rows: Rows it rests on.
        labels: Labels among them that came by the horizon.
    """

    ages: tuple[float, ...]
    come: tuple[float, ...]
    horizon: float
    rows: int
    labels: int

    @property
    def ever(self) -> float:
        """Share of rows whose label comes by the horizon."""
        return self.come[-1]

    @property
    def never(self) -> float:
        """Share of rows without a label by the horizon."""
        return 1.0 - self.ever

    def share_come(self, age: Floats) -> Floats:
        """Shape (n,): share of all rows whose label has come by each age (seconds)."""
        return np.concatenate([[0.0], self.come])[np.searchsorted(self.ages, age, "right")]

    def maturity(self, age: Floats) -> Floats:
        """Shape (n,): of the labels that come at all, the share that has come by each age (seconds)."""
        return np.asarray(self.share_come(age) / self.ever)

    def age_for(self, maturity: float) -> float:
        """The age in seconds by which this share of the labels that come at all has come; .5 is the median delay.

        Raises:
            ValueError: the share is not above 0 and at most 1.
        """
        if not 0 < maturity <= 1:
            raise ValueError(f"a share of labels lies above 0 and at most at 1, not at {maturity}")
        place = int(np.searchsorted(self.come, maturity * self.ever * (1 - 1e-12)))
        return self.ages[place]

    def to_json(self) -> dict[str, Any]:
        """The curve as JSON values."""
        return {
            "ages": list(self.ages),
            "come": list(self.come),
            "horizon": self.horizon,
            "rows": self.rows,
            "labels": self.labels,
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> "DelayCurve":
        """Reads a curve."""
        lists = {name: tuple(map(float, value[name])) for name in ("ages", "come")}
        return DelayCurve(**{**value, **lists})


def fit_delay(rows: Rows) -> DelayCurve:
    """The delay of all labels together.

    Raises:
        Undecidable: fewer than 50 rows, or fewer than 30 labels have come.
    """
    sound = rows.sound()
    return _curves(rows, np.zeros(len(sound), dtype=np.int64), sound, _horizon(rows, sound))[0]


def _horizon(rows: Rows, chosen: NDArray[np.bool_]) -> float:
    """The age that 50 rows have reached."""
    many = int(np.count_nonzero(chosen))
    if many < LEAST_OLD:
        raise Undecidable(f"{many} rows are too few to learn how long labels take, {LEAST_OLD} are needed")
    return float(np.sort(rows.age()[chosen])[-LEAST_OLD])


def _curves(
    rows: Rows, codes: NDArray[np.int64], chosen: NDArray[np.bool_], horizon: float
) -> dict[int, DelayCurve]:
    """One curve for each outcome code among chosen rows; each is the share of all of them (cumulative incidence)."""
    has_label = rows.has_label()[chosen]
    age, codes = rows.age()[chosen], codes[chosen]
    time = np.where(has_label, rows.delay()[chosen], age)
    has_label &= time <= horizon
    if np.count_nonzero(has_label) < LEAST_LABELS:
        raise Undecidable(
            f"{np.count_nonzero(has_label)} labels of {len(time)} rows are too few to learn how long they take, "
            f"{LEAST_LABELS} are needed"
        )
    ages, place = np.unique(time[has_label], return_inverse=True)
    at_risk = len(time) - np.searchsorted(np.sort(time), ages)
    hazard = np.bincount(place) / at_risk
    before = np.concatenate([[1.0], np.cumprod(1 - hazard)[:-1]])
    found = {}
    for code in np.unique(codes[has_label]).tolist():
        mine = np.bincount(place, codes[has_label] == code, minlength=len(ages))
        come = np.cumsum(before * mine / at_risk)
        found[code] = _thinned(ages[mine > 0], come[mine > 0], horizon, len(time), round(float(mine.sum())))
    return found


def _thinned(ages: Floats, come: Floats, horizon: float, rows: int, labels: int) -> DelayCurve:
    """Steps of equal height where there are many: less than a two-hundredth of the labels lies between."""
    if len(ages) > _MOST_STEPS:
        kept = np.unique(np.searchsorted(come, np.linspace(come[0], come[-1], _MOST_STEPS)))
        ages, come = ages[kept], come[kept]
    return DelayCurve(tuple(ages.tolist()), tuple(come.tolist()), horizon, rows, labels)


@dataclass(frozen=True, slots=True)
class DelayTable:
    """Delays by bin of the score and by outcome, where they were seen often enough.

    Args:
        edges: Shape (b - 1,): where the bins of the score end; a score on an edge belongs to the bin above.
        curves: By bin number and outcome code; -1 is any bin, or any outcome.
    """

    edges: tuple[float, ...]
    curves: dict[tuple[int, int], DelayCurve]

    def bins(self, rows: Rows) -> NDArray[np.int64]:
        """Shape (n,): the bin of each row; zero without scores."""
        if not self.edges or rows.scores is None:
            return np.zeros(len(rows.asked), dtype=np.int64)
        return np.searchsorted(self.edges, rows.scores, "right").astype(np.int64)

    def of(self, number: int, code: int) -> DelayCurve:
        """The curve of a bin and outcome, or the nearest one that is known: of any bin, of any outcome."""
        for key in ((number, code), (-1, code), (number, -1)):
            if key in self.curves:
                return self.curves[key]
        return self.curves[-1, -1]

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {
            "edges": list(self.edges),
            "curves": [[*key, curve.to_json()] for key, curve in self.curves.items()],
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> "DelayTable":
        """Reads a table."""
        curves = {
            (int(number), int(code)): DelayCurve.from_json(each) for number, code, each in value["curves"]
        }
        return DelayTable(tuple(map(float, value["edges"])), curves)


def fit_delays(rows: Rows, *, bins: int = 5) -> DelayTable:
    """Delays by score and outcome, so that early labels can be weighed against late ones.

    Bins hold equally many rows. A cell of fewer than 30 labels goes by the curve of its outcome in all bins.

    Args:
        rows: With scores and outcomes as far as the delay may depend on them.
        bins: Of the score.

    Raises:
        Undecidable: fewer than 50 rows, or fewer than 30 labels have come.
    """
    sound = rows.sound()
    curves = {(-1, -1): fit_delay(rows)}
    table = DelayTable(_edges(rows, sound, bins), curves)
    place, has_label = table.bins(rows), rows.has_label()
    codes = np.full(len(sound), -1, dtype=np.int64)
    if rows.outcomes is not None:
        codes[has_label] = rows.outcomes[has_label].astype(np.int64)
    cells = {-1: sound, **{number: sound & (place == number) for number in range(len(table.edges) + 1)}}
    cells = {number: chosen for number, chosen in cells.items() if np.count_nonzero(chosen) >= LEAST_OLD}
    horizon = min(_horizon(rows, chosen) for chosen in cells.values())
    for number, chosen in cells.items():
        try:
            found = _curves(rows, codes, chosen, horizon)
        except Undecidable:  # too few labels: this bin goes by the curves of all bins
            continue
        curves.update({(number, code): each for code, each in found.items() if each.labels >= LEAST_LABELS})
    return table


def _edges(rows: Rows, sound: NDArray[np.bool_], bins: int) -> tuple[float, ...]:
    if rows.scores is None:
        return ()
    return tuple(np.unique(np.quantile(rows.scores[sound], np.arange(1, bins) / bins)).tolist())
