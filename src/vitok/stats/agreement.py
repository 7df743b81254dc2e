"""How well two people agree who label the same things: the share that agrees, and Cohen's kappa beyond chance."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from vitok.stats.intervals import wilson


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two labels for each thing show.

    Args:
        pairs: How many things have two labels.
        share: That got the same label twice, with its interval.
        kappa: Agreement beyond chance, with its interval; None where chance alone would always agree.
    """

    pairs: int
    share: tuple[float, float, float]
    kappa: tuple[float, float, float] | None


def agreement(pairs: Sequence[tuple[Hashable, Hashable]], level: float = 0.90) -> Agreement:
    """The agreement of two annotators.

    Kappa is Cohen's (Educational and Psychological Measurement 20, 1960, p. 40): the share that agrees beyond what the
    annotators' own shares of the labels give by chance. Its interval is Wilson's of the share that agrees, carried over
    with chance held fast, as Cohen's own standard error does; so full agreement of few pairs stays uncertain.

    Args:
        pairs: Both labels of each thing; at least one.
        level: Of the intervals.

    Cohen's example of two clinicians and 200 patients, p. 45, as counts:

    >>> counts = {("a", "a"): 88, ("a", "b"): 14, ("a", "c"): 18, ("b", "a"): 10, ("b", "b"): 40, ("b", "c"): 10}
    >>> counts |= {("c", "a"): 2, ("c", "b"): 6, ("c", "c"): 12}
    >>> found = agreement([pair for pair, count in counts.items() for _ in range(count)])
    >>> round(found.share[0], 2), round(found.kappa[0], 2)
    (0.7, 0.49)
    """
    count = len(pairs)
    same = sum(first == second for first, second in pairs)
    low, high = wilson(same, count, level)
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(first[label] * second[label] for label in first) / count**2
    kappa = None
    if chance < 1:
        beyond = [(share - chance) / (1 - chance) for share in (same / count, low, high)]
        kappa = (beyond[0], max(beyond[1], -1.0), min(beyond[2], 1.0))
    return Agreement(count, (same / count, low, high), kappa)
