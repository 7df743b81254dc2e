"""Evidence that an event is more frequent than is tolerated; it may be looked at after every row.

A bet against "the share is at most t": a row with the event multiplies the stake by 1 + f (1 - t) / t, one without by
1 - f. While the claim holds, no bet gains on average, whatever was seen before; so the mean over several fractions f
reaches 1 / alpha with a probability of at most alpha, ever (Ville 1939; Waudby-Smith & Ramdas, JRSS B 86, 2024). The
stake depends on the two counts only, and falls as the tolerated share rises: tolerating more never raises an alarm.
"""

import math
from functools import lru_cache

# From shares just above the tolerated one to nearly all rows.
FRACTIONS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 7 / 8)


def log_evidence(hits: int, rows: int, tolerated: float) -> float:
    """Log of the stake after so many rows; from log(1 / alpha) on the share is above the tolerated one.

    Args:
        hits: Rows with the event.
        rows: All rows.
        tolerated: Share in (0, 1).

    >>> round(math.exp(log_evidence(1, 1, 0.5)), 4)  # by hand: one plus the mean fraction
    1.3073
    >>> log_evidence(100, 1000, 0.1) < 0 < log_evidence(160, 1000, 0.1)
    True
    """
    terms = [won * hits + lost * (rows - hits) for won, lost in _steps(tolerated)]
    most = max(terms)
    return most + math.log(sum(math.exp(each - most) for each in terms) / len(terms))


@lru_cache(maxsize=64)
def _steps(tolerated: float) -> tuple[tuple[float, float], ...]:
    odds = (1 - tolerated) / tolerated
    return tuple((math.log1p(fraction * odds), math.log1p(-fraction)) for fraction in FRACTIONS)
