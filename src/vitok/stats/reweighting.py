"""A calibration made for the rows of one window: reference rows that are like them weigh more.

PAPE (Bialek et al., arXiv 2401.08348): plain calibration takes it that a score means the same whatever the row is like.
Where that fails, and the window has other rows than the reference, the calibration is fitted anew on the reference
rows weighted by how much more frequent such rows are in the window. It helps only where the reference has such rows.
"""

from dataclasses import dataclass

import numpy as np

from vitok.stats.density_ratio import density_ratio
from vitok.stats.scores import Floats, Scored, Undecidable
from vitok.stats.unlabelled import Calibration, fit_calibration

# The mean weight is the share of the window's rows that the reference has rows like (1 but for chance).
LEAST_COVERED = 0.95
# Of either side: with 5 000 the calibration errs more by chance than it gains, with more each window has to wait.
MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class KnownRows:
    """Labelled reference rows, which the model was not trained on.

    Args:
        scored: Its answers on them, binary or multiclass.
        inputs: Shape (n, f): NaN where missing; categories as codes from 0.
        categorical: Which columns are categories.
    """

    scored: Scored
    inputs: Floats
    categorical: tuple[int, ...] = ()


def window_calibration(
    known: KnownRows, scores: Floats, inputs: Floats, *, seed: int = 0, most_rows: int = MOST_ROWS
) -> Calibration:
    """How often scores come true among rows like those of a window.

    Args:
        known: The reference.
        scores: Shape (m,) or (m, k): the model's answers on the window's rows.
        inputs: Shape (m, f): of these rows, as in the reference.
        seed: Of samples and trees.
        most_rows: Of either side that are looked at.

    Raises:
        Undecidable: the reference has no rows like a twentieth of the window's, those that it has are worth fewer
            than 300, or either side has too few rows.
    """
    rng = np.random.default_rng(seed)
    then, now = (np.sort(rng.permutation(len(each))[:most_rows]) for each in (known.inputs, inputs))
    some = known.scored.take(then)
    reference = _with_scores(known.inputs[then], some.scores)
    window = _with_scores(inputs[now], scores[now])
    weights = density_ratio(reference, window, categorical=known.categorical, seed=seed, most_rows=most_rows)
    covered = float(weights.mean())
    if covered < LEAST_COVERED:
        raise Undecidable(f"the reference has rows like {covered:.0%} of these only")
    return fit_calibration(some, weights)


def _with_scores(inputs: Floats, scores: np.ndarray) -> Floats:
    """Inputs and scores beside each other; of several classes their last probability follows from the others."""
    told = scores[:, None] if scores.ndim == 1 else scores[:, :-1]
    return np.column_stack([inputs, told.astype(np.float64)])
