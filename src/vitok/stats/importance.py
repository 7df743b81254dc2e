"""How much a model leans on each input: what its quality loses when the input's values are dealt out anew.

Permutation importance (Breiman, Machine Learning 45, 2001; Fisher, Rudin and Dominici, JMLR 20, 2019), on rows that no
fit has seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

# Repeats that the scatter of one input's figure is taken from.
_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Importance:
    """What quality loses without one input.

    Args:
        drop: Mean loss of the metric, positive where the input helps.
        deviation: Standard deviation of that over repeats.
    """

    drop: float
    deviation: float

    def as_json(self) -> dict[str, Any]:
        """The importance as JSON values."""
        return asdict(self)


def permutation_importance(
    frame: pl.DataFrame,
    inputs: Sequence[str],
    quality: Callable[[pl.DataFrame], float],
    *,
    seed: int = 0,
) -> dict[str, Importance]:
    """The importance of each input.

    Args:
        frame: Rows with all inputs; what else it has stays as it is.
        inputs: Columns whose values are dealt out anew, one after another.
        quality: Of the model on a frame with these rows; more is better.
        seed: Of the permutations.
    """
    rng, whole = np.random.default_rng(seed), quality(frame)
    found = {}
    for name in inputs:
        column, drops = frame[name], []
        for _ in range(_REPEATS):
            dealt = column.gather(rng.permutation(frame.height))
            drops.append(whole - quality(frame.with_columns(dealt.alias(name))))
        found[name] = Importance(float(np.mean(drops)), float(np.std(drops, ddof=1)))
    return found
