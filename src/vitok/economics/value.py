"""The value of decisions by a cost matrix."""

import numpy as np
from numpy.typing import NDArray

from vitok.charter.model import Costs


def decisions_value(truth: NDArray[np.generic], flagged: NDArray[np.generic], costs: Costs) -> float:
    """Money earned by a set of decisions whose outcome is known.

    Args:
        truth: 1 for positive rows, shape (n,).
        flagged: 1 for flagged rows, shape (n,).
        costs: Money by kind of decision.

    >>> decisions_value(np.array([1, 0, 1]), np.array([1, 1, 0]), Costs(tp=40, fp=-5, fn=-60, tn=0))
    -25.0
    """
    positive, chosen = truth == 1, flagged == 1
    return float(
        costs.tp * np.sum(positive & chosen)
        + costs.fp * np.sum(~positive & chosen)
        + costs.fn * np.sum(positive & ~chosen)
        + costs.tn * np.sum(~positive & ~chosen)
    )
