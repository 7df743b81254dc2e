"""The buckets in which latencies are counted, and what they tell."""

from bisect import bisect_right
from collections.abc import Sequence

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


def bound_within(seconds: float) -> float:
    """The largest bucket that holds only latencies within a goal; the goal should be at least the first.

    >>> bound_within(0.05), bound_within(0.06)
    (0.05, 0.05)
    """
    return BOUNDS[max(bisect_right(BOUNDS, seconds) - 1, 0)]


def bucket_quantile(counts: Sequence[int], share: float) -> float | None:
    """The latency that a share of the requests kept, in seconds, by a straight line inside its bucket.

    Args:
        counts: Requests in each bucket of `BOUNDS`, and those beyond the last.

    Returns:
        None without requests; the last bound if the quantile lies beyond it.

    >>> bucket_quantile([0, 0, 10, 0], 0.5)
    0.00375
    """
    wanted, below = share * sum(counts), 0
    if not sum(counts):
        return None
    for place, count in enumerate(counts[: len(BOUNDS)]):
        if count and below + count >= wanted:
            low = BOUNDS[place - 1] if place else 0.0
            return low + (BOUNDS[place] - low) * (wanted - below) / count
        below += count
    return BOUNDS[-1]
