"""How much more frequent each reference row is in a window: the weights that make the reference look like it."""

import numpy as np
from numpy.typing import NDArray

from vitok.stats.scores import Floats, Undecidable

LEAST_ROWS = 100
_LEVELS = 250  # a boosted tree of scikit-learn takes at most 255 levels
_FOLDS = 2


def density_ratio(
    reference: Floats,
    window: Floats,
    *,
    categorical: tuple[int, ...] = (),
    seed: int = 0,
    most_rows: int = 20_000,
) -> Floats:
    """Shape (n,): weights of the reference rows, for `fit_calibration`.

    Boosted trees learn to tell window rows from reference rows; the odds of "window" are the ratio of the densities
    (Bickel, Brueckner and Scheffer, ICML 2007). Each row is judged by trees that have not seen it. Where the
    reference has no rows like those of the window no weight can make up for it: their mean is then below 1. Measured
    in `bench/estimates.py`: on one set (mean 1.00) estimates by these weights err less than plain ones in all three
    metrics, F1 by 30 %; on another (mean .87) about twice as much.

    Args:
        reference: Shape (n, f): features, and best also the score, NaN where missing; categories as codes.
        window: Shape (m, f).
        categorical: Which columns are categories; those of more than 250 levels are taken as numbers.
        seed: Of the sample and the trees.
        most_rows: Rows of each side that the trees learn from.

    Raises:
        Undecidable: fewer than 100 rows on a side, other columns, or infinite values.
    """
    _check(reference, window)
    levels, both = _coded(np.concatenate([reference, window]).astype(np.float64), categorical)
    rng, n = np.random.default_rng(seed), len(reference)
    chosen = [rng.permutation(n)[:most_rows], n + rng.permutation(len(window))[:most_rows]]
    sample = np.concatenate(chosen)
    in_window = sample >= n
    fold = np.full(len(both), -1)
    fold[sample] = rng.permutation(len(sample)) % _FOLDS
    chance, judges = np.zeros(n), np.zeros(n)
    for held in range(_FOLDS):
        learn = fold[sample] != held
        judged = np.flatnonzero((fold[:n] == held) | (fold[:n] == -1))
        chance[judged] += _chances(both[sample[learn]], in_window[learn], both[judged], levels, seed)
        judges[judged] += 1
    chance /= judges
    return np.asarray(chance / (1 - chance) * len(chosen[0]) / len(chosen[1]))


def _check(reference: Floats, window: Floats) -> None:
    for name, rows in (("reference", reference), ("window", window)):
        if rows.ndim != 2 or rows.shape[1] != reference.shape[1] or rows.shape[1] == 0:
            raise Undecidable("the window has not the columns of the reference")
        if len(rows) < LEAST_ROWS:
            raise Undecidable(f"{len(rows)} rows of the {name} are too few, {LEAST_ROWS} are needed")
        if np.isinf(rows.astype(np.float64)).any():
            raise Undecidable(f"infinite values in the {name}")


def _coded(both: Floats, categorical: tuple[int, ...]) -> tuple[NDArray[np.bool_], Floats]:
    """Categories as codes from 0; those of too many levels are no categories for the trees."""
    is_level = np.zeros(both.shape[1], dtype=np.bool_)
    for column in categorical:
        known = ~np.isnan(both[:, column])
        levels, codes = np.unique(both[known, column], return_inverse=True)
        both[known, column] = codes
        is_level[column] = len(levels) <= _LEVELS
    return is_level, both


def _chances(
    rows: Floats, in_window: NDArray[np.bool_], judged: Floats, is_level: NDArray[np.bool_], seed: int
) -> Floats:
    from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import, and few commands need it

    trees = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.05,
        max_leaf_nodes=7,
        min_samples_leaf=min(100, len(rows) // 10),
        l2_regularization=1.0,
        early_stopping=False,
        categorical_features=is_level,
        random_state=seed,
    )
    # A row of pure window leaves would have infinite odds.
    found = trees.fit(rows, in_window).predict_proba(judged)[:, 1]
    return np.clip(np.asarray(found, dtype=np.float64), 1e-6, 1 - 1e-6)
