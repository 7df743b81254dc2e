"""Which of some groups of rows are really worse than the other rows, with a bound on how many are called so in vain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitok.stats.estimates import Estimate
from vitok.stats.intervals import jackknife_error
from vitok.stats.scores import Floats, Undecidable

Mask = NDArray[np.bool_]
Figure = Callable[[Mask], float]
# Half of the folds find groups, the others judge them; each judging fold is left out once.
FOLDS = 40


@dataclass(frozen=True, slots=True)
class Judged:
    """A group against the other rows.

    Args:
        difference: The figure inside minus that elsewhere; of groups that are worse all intervals together miss the
            truth in at most a share alpha of cases, on average, of the others at the level .90 each.
        p_value: Against "it is no worse than what is tolerated".
        is_worse: Whether it is.
    """

    difference: Estimate
    p_value: float
    is_worse: bool


def folds_of(units: NDArray[np.generic], seed: int) -> NDArray[np.int64]:
    """Shape (n,): one of 40 folds for each row; rows of one unit, such as a day, stay together.

    Rows of a day share its weather and its troubles; if they stood on both sides of a test, each bad day would confirm
    itself. With fewer than 40 units rows are dealt out one by one.

    Args:
        units: Shape (n,).
        seed: Of the deal.
    """
    rng = np.random.default_rng(seed)
    _, inverse = np.unique(units, return_inverse=True)
    count = int(inverse.max(initial=-1)) + 1
    if count < FOLDS:
        return np.asarray(rng.permutation(len(units)) % FOLDS, dtype=np.int64)
    return np.asarray((rng.permutation(count) % FOLDS)[inverse], dtype=np.int64)


def judge_groups(
    groups: Sequence[Mask],
    folds: NDArray[np.int64],
    figure: Figure,
    *,
    higher_is_better: bool,
    concession: float = 0.0,
    alpha: float = 0.05,
) -> list[Judged | None]:
    """Asks of each group whether its figure is worse than that of the other rows by more than what is tolerated.

    Standard errors come from leaving out one fold after another (delete-a-group jackknife: Kott, J. Official Statistics
    17, 2001), whatever the figure is. At most a share alpha of the groups that are called worse are so in vain, on
    average (Benjamini and Hochberg, J. R. Stat. Soc. B 57, 1995), and their intervals are as wide as such a choice
    demands (Benjamini and Yekutieli, JASA 100, 2005).

    Args:
        groups: Masks of n rows that had no part in finding them.
        folds: Shape (n,): which fold a row belongs to.
        figure: A figure of some of the rows, given as a mask; raises `Undecidable`.
        higher_is_better: Its direction.
        concession: Share of the figure elsewhere that may be lost, .05 for five per cent.
        alpha: Share of vain calls.

    Returns:
        For each group what is to be said of it; None where these rows cannot tell.
    """
    from scipy.special import stdtr, stdtrit  # slow to import

    compared = [_compared(inside, folds, figure) for inside in groups]
    sign = -1.0 if higher_is_better else 1.0
    chances = []
    for each in compared:
        if each is None:
            chances.append(1.0)
            continue
        here, there, parts = each
        beyond = sign * (here - there) - concession * abs(there)
        spread = jackknife_error(sign * (parts[:, 0] - parts[:, 1]) - concession * np.abs(parts[:, 1]))
        chances.append(float(stdtr(len(parts) - 1, -beyond / spread)) if spread > 0 else 1.0)
    worse = benjamini_hochberg(chances, alpha)
    tail = alpha * max(1, len(worse)) / max(1, len(groups))
    found: list[Judged | None] = []
    for place, (each, chance) in enumerate(zip(compared, chances, strict=True)):
        if each is None:
            found.append(None)
            continue
        here, there, parts = each
        wide = stdtrit(len(parts) - 1, 1 - (tail if place in worse else 0.05))
        half = float(wide) * jackknife_error(parts[:, 0] - parts[:, 1])
        apart = here - there
        rows = int(np.count_nonzero(groups[place]))
        found.append(
            Judged(Estimate(apart, apart - half, apart + half, rows, "jackknife"), chance, place in worse)
        )
    return found


def benjamini_hochberg(p_values: Sequence[float], alpha: float) -> set[int]:
    """Places of the hypotheses that are rejected.

    >>> sorted(benjamini_hochberg([0.001, 0.6, 0.02, 0.03], 0.05))
    [0, 2, 3]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    passed = [rank for rank, place in enumerate(order, 1) if p_values[place] <= alpha * rank / len(order)]
    return set(order[: max(passed, default=0)])


def _compared(inside: Mask, folds: NDArray[np.int64], figure: Figure) -> tuple[float, float, Floats] | None:
    """The figure inside and elsewhere, and both without each fold; None if any of these cannot be told."""
    keeps = [folds != each for each in np.unique(folds)]
    if not all((side & keep).any() for side in (inside, ~inside) for keep in keeps):
        return None
    try:
        here, there = figure(inside), figure(~inside)
        parts = [(figure(inside & keep), figure(~inside & keep)) for keep in keeps]
    except Undecidable:
        return None
    return here, there, np.array(parts)
