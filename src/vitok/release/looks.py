"""A comparison that is read at a few planned moments of its horizon, or once at its end."""

import math
from functools import lru_cache

import numpy as np

from vitok.release.guards import Finding, Values
from vitok.stats.group_sequential import LookPlan
from vitok.stats.intervals import normal_quantile
from vitok.stats.scores import Floats

LOOKS = 10


def judge_at_looks(
    name: str, seen: Values, due: Floats, passed: float, looks: int, alpha: float
) -> Finding | None:
    """Compares two means by z statistics at evenly spaced looks (O'Brien and Fleming, Biometrics 35, 1979).

    Args:
        due: For each value the part of the horizon after which it was due.
        passed: The part of the horizon that is over.
        looks: How many there are in all; 1 for one test at the end.
        alpha: Chance of ever seeing a difference where none is, both sides together.

    Returns:
        The finding: `broken` if the new version is worse, `kept` if it is better; None before the first look.
    """
    done = min(looks, math.floor(passed * looks + 1e-9))
    if done <= 0:
        return None
    bounds = _bounds(looks, alpha / 2)
    found = [_difference(seen, due <= (look + 1) / looks) for look in range(done)]
    signs = [
        (mean / error / bound if error > 0 else 0.0)
        for (mean, error), bound in zip(found, bounds, strict=False)
    ]
    first = next((sign for sign in signs if abs(sign) >= 1), 0.0)
    mean, error = found[-1]
    reach = bounds[done - 1] * error if error > 0 else math.inf
    inside = due <= done / looks
    old, new = (seen.values[inside & (seen.arms == arm)] for arm in (False, True))
    return Finding(
        name,
        0.0,
        first <= -1,
        first >= 1,
        max(0.0, *(-sign for sign in signs)),
        1.0,
        float(old.mean()) if len(old) else None,
        float(new.mean()) if len(new) else None,
        mean - reach,
        mean + reach,
        int(np.count_nonzero(inside)),
    )


@lru_cache(maxsize=8)
def _bounds(looks: int, alpha: float) -> tuple[float, ...]:
    return (normal_quantile(1 - alpha),) if looks == 1 else LookPlan.even(looks, alpha).bounds


def _difference(seen: Values, inside: np.ndarray) -> tuple[float, float]:
    """Difference of the means and its standard error; no error where an arm has fewer than two values."""
    old, new = (seen.values[inside & (seen.arms == arm)] for arm in (False, True))
    if len(old) < 2 or len(new) < 2:
        return 0.0, 0.0
    error = math.sqrt(old.var(ddof=1) / len(old) + new.var(ddof=1) / len(new))
    return float(new.mean() - old.mean()), error
