"""The mean of a series that may itself move, with an interval that holds however often one looks."""

import math

import numpy as np

from vitok.stats.scores import Floats, Undecidable

LEAST_VALUES = 10
# The number of values at which the interval is as narrow as it can be; at others it is a little wider.
_BEST_AT = 90


def running_mean(values: Floats, alpha: float = 0.10) -> tuple[float, float, float]:
    """The mean of all values so far, and its interval at the level 1 - alpha, valid at all times at once.

    The asymptotic confidence sequence for averages of means that may differ from value to value (Waudby-Smith, Arbour,
    Sinha, Kennedy and Ramdas, Ann. Statist. 52, 2024, theorem 2.5). Values have to be nearly independent: take sums of
    days rather than rows that share a day.

    Args:
        values: Shape (n,), in the order of time.
        alpha: Chance that the interval ever misses.

    Returns:
        Mean, low, high.

    Raises:
        Undecidable: fewer than ten values.
    """
    count = len(values)
    if count < LEAST_VALUES:
        raise Undecidable(f"{count} values are too few, {LEAST_VALUES} are needed")
    mean, variance = float(np.mean(values)), float(np.var(values, ddof=1))
    tuned = (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / _BEST_AT
    inner = count * tuned + 1
    half = math.sqrt(2 * variance * inner / (count**2 * tuned) * math.log(math.sqrt(inner) / alpha))
    return mean, mean - half, mean + half
