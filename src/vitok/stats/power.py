"""How wide an interval will be before any model exists: what a test of this size can decide."""

import math
from dataclasses import dataclass

from vitok.stats.intervals import normal_quantile, tail, wilson

# Two models fitted to the same rows rank them much alike; .8 is at the low end of what refits on flights show.
CORRELATION = 0.8
_SHARES = {"accuracy": "rows", "recall": "positives", "precision": "positives", "f1": "positives"}
ANALYSED = ("roc_auc", *_SHARES)


@dataclass(frozen=True, slots=True)
class TestSize:
    """The rows that a verdict will rest on.

    Args:
        rows: Test rows.
        positives: Positive ones among them.
    """

    __test__ = False  # no test class, whatever its name begins with

    rows: int
    positives: int

    def scaled(self, factor: float) -> "TestSize":
        """So many times the rows, with the same share of positives."""
        return TestSize(math.ceil(self.rows * factor), math.ceil(self.positives * factor))


def auc_variance(auc: float, positives: int, negatives: int) -> float:
    """Variance of an area under the ROC curve (Hanley & McNeil, Radiology 143, 1982, p. 29).

    An area of .893 from 51 and 58 cases has a standard error of .033:

    >>> round(auc_variance(0.893, 51, 58) ** 0.5, 3)
    0.033
    """
    one, two = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (one - auc * auc) + (negatives - 1) * (two - auc * auc)
    return spread / (positives * negatives)


def expected_interval(metric: str, value: float, size: TestSize, level: float = 0.90) -> tuple[float, float]:
    """The interval that a test of this size will give around a value.

    Args:
        metric: One of `ANALYSED`.
        value: The figure that the test shows, strictly between 0 and 1.
        size: Rows of the test.
    """
    if metric == "roc_auc":
        negatives = size.rows - size.positives
        if min(size.positives, negatives) < 1:
            return 0.0, 1.0
        # On the logit scale, where the interval of a ranking is made.
        error = math.sqrt(auc_variance(value, size.positives, negatives)) / (value * (1 - value))
        middle, half = math.log(value / (1 - value)), normal_quantile(1 - tail(level)) * error
        return 1 / (1 + math.exp(half - middle)), 1 / (1 + math.exp(-half - middle))
    count = getattr(size, _SHARES[metric])
    return wilson(value * count, count, level) if count else (0.0, 1.0)


def paired_half_width(metric: str, value: float, size: TestSize, level: float = 0.90) -> float:
    """Half the width of the interval of the difference between two models of about this value."""
    low, high = expected_interval(metric, value, size, level)
    return (high - low) / 2 * math.sqrt(2 * (1 - CORRELATION))


def least_passing_value(metric: str, bound: float, size: TestSize) -> float | None:
    """The smallest figure whose whole interval clears a lower bound; None if not even .999 does."""
    for step in range(1000):
        value = bound + (0.999 - bound) * step / 999
        if 0 < value < 1 and expected_interval(metric, value, size)[0] >= bound:
            return value
    return None


def size_for_margin(metric: str, value: float, size: TestSize, margin: float) -> TestSize:
    """How large a test must be for the paired interval to fit into a margin."""
    factor = 1.0
    while paired_half_width(metric, value, size.scaled(factor), 0.90) > margin and factor < 1e6:
        factor *= 1.25
    return size.scaled(factor)
