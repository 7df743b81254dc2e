"""Groups of rows, and what lies between two of them."""

from itertools import combinations

import numpy as np

from vitok.stats.estimates import Estimate

SMALL_GROUP = 100


def pool_groups(values: np.ndarray) -> dict[str, np.ndarray]:
    """Row masks of the groups of a column; groups under 100 rows are judged together.

    A group of a handful of rows can never be decided and would block every release; pooled, its rows still count.
    """
    names, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    large = [index for index, count in enumerate(counts) if count >= SMALL_GROUP]
    groups = {str(names[index]): inverse == index for index in large}
    rest = ~np.isin(inverse, large)
    if rest.any():
        if rest.sum() < SMALL_GROUP and groups:
            smallest = min(groups, key=lambda group: int(groups[group].sum()))
            groups[f"{smallest} and small groups"] = groups.pop(smallest) | rest
        else:
            groups["small groups"] = rest
    return groups


def independent_difference(a: Estimate, b: Estimate, factor: float = 1.0) -> Estimate:
    """`a - factor * b` of two disjoint groups of rows, with the interval that both intervals imply.

    Method of variance estimates recovery (Zou and Donner, Stat. Med. 27, 2008, p. 1693): it keeps the skewness of
    the single intervals. Groups that share rows are positively dependent, and the interval is then too wide.

    Args:
        factor: Not negative.

    Newcombe's example (Stat. Med. 17, 1998, p. 873, method 10): 56/70 against 48/80, .2 with [.0524, .3339]:

    >>> from vitok.stats.intervals import wilson
    >>> a, b = (Estimate(k / n, *wilson(k, n, 0.95), n, "Wilson") for k, n in ((56, 70), (48, 80)))
    >>> found = independent_difference(a, b)
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    theirs, low, high = factor * b.value, factor * b.low, factor * b.high
    value = a.value - theirs
    down = float(np.hypot(a.value - a.low, high - theirs))
    up = float(np.hypot(a.high - a.value, theirs - low))
    return Estimate(value, value - down, value + up, a.rows + b.rows, "MOVER")


def pairs_apart(groups: dict[str, Estimate]) -> list[tuple[str, str, Estimate]]:
    """All pairs of groups with their difference, the higher one first; the widest pair leads."""
    pairs = []
    for one, two in combinations(groups, 2):
        upper, lower = (one, two) if groups[one].value >= groups[two].value else (two, one)
        pairs.append((upper, lower, independent_difference(groups[upper], groups[lower])))
    return sorted(pairs, key=lambda pair: -pair[2].value)
