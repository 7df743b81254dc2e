"""Whether all columns together moved, also where none moved by itself: how well rows can be told apart.

A classifier that learns to tell rows of a window from those of the reference reaches an area under the ROC curve of one
half where there is nothing to tell (Lopez-Paz and Oquab, ICLR 2017); principal components of the reference rebuild
its own rows better than rows whose columns no longer go together (Jaworski et al., SSCI 2017).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitok.stats.estimates import Estimate, estimate
from vitok.stats.scores import Floats, Scored, Undecidable

LEAST_ROWS = 100
_FOLDS = 3
# Components that keep this share of the variance of the reference.
_KEPT = 0.9


@dataclass(frozen=True, slots=True)
class Apart:
    """How far two sets of rows are apart as a whole.

    Args:
        auc: Of the classifier on rows that it has not seen, with its interval.
        rebuilt: Mean squared error of rebuilt window rows over that of reference rows; 1 where nothing moved, None
            with fewer than two numeric columns.
        leans_on: Columns that the classifier leans on, the most telling first.
    """

    auc: Estimate
    rebuilt: float | None
    leans_on: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {**asdict(self), "leans_on": list(self.leans_on)}


def apart(
    reference: Floats,
    window: Floats,
    names: tuple[str, ...],
    *,
    categorical: tuple[int, ...] = (),
    seed: int = 0,
) -> Apart:
    """How far a window is from the reference, all columns together.

    Args:
        reference: Shape (n, f): NaN where missing; categories as codes from 0.
        window: Shape (m, f).
        names: Of the columns.
        categorical: Which columns are categories.
        seed: Of the folds.

    Raises:
        Undecidable: fewer than 100 rows on a side.
    """
    if min(len(reference), len(window)) < LEAST_ROWS:
        raise Undecidable(f"{min(len(reference), len(window))} rows are too few, {LEAST_ROWS} are needed")
    rows = np.concatenate([reference, window]).astype(np.float64)
    truth = np.repeat([0, 1], [len(reference), len(window)])
    scores, fold = np.empty(len(rows)), np.random.default_rng(seed).permutation(len(rows)) % _FOLDS
    drops = np.zeros(len(names))
    for held in range(_FOLDS):
        inside = fold == held
        trees = _trees(rows[~inside], truth[~inside], categorical, seed)
        scores[inside] = trees.predict_proba(rows[inside])[:, 1]
        drops += _drops(trees, rows[inside], scores[inside], seed)
    order = np.argsort(-drops)
    telling = tuple(names[place] for place in order if drops[place] > 0)
    numeric = [place for place in range(len(names)) if place not in categorical]
    rebuilt = _rebuilt(reference[:, numeric], window[:, numeric]) if len(numeric) > 1 else None
    return Apart(estimate("roc_auc", Scored("binary", truth, scores)), rebuilt, telling)


def _trees(rows: Floats, truth: NDArray[np.int64], categorical: tuple[int, ...], seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import, and few commands need it

    few = [place for place in categorical if np.nanmax(rows[:, place], initial=0.0) < 250]
    trees = HistGradientBoostingClassifier(
        max_iter=40, learning_rate=0.1, max_leaf_nodes=8, categorical_features=few or None, random_state=seed
    )
    return trees.fit(rows, truth)


def _drops(trees: Any, rows: Floats, scores: Floats, seed: int) -> Floats:
    """Shape (f,): how much the scores change when a column's values are dealt out anew."""
    rng, found = np.random.default_rng(seed), np.empty(rows.shape[1])
    for place in range(rows.shape[1]):
        dealt = rows.copy()
        dealt[:, place] = rng.permutation(dealt[:, place])
        found[place] = np.mean((trees.predict_proba(dealt)[:, 1] - scores) ** 2)
    return found


def _rebuilt(reference: Floats, window: Floats) -> float | None:
    """Missing values stand at the reference's median; columns count alike, by their interquartile range."""
    low, middle, high = (
        np.array([_quantile(column, share) for column in reference.T]) for share in (0.25, 0.5, 0.75)
    )
    spread = np.where(high > low, high - low, 1.0)

    def scaled(rows: Floats) -> Floats:
        filled = np.where(np.isfinite(rows), rows, middle)
        return np.asarray(np.clip((filled - middle) / spread, -10, 10))

    half = len(reference) // 2
    learn, check, now = scaled(reference[:half]), scaled(reference[half:]), scaled(window)
    mean = learn.mean(axis=0)
    _, sizes, axes = np.linalg.svd(learn - mean, full_matrices=False)
    power = np.cumsum(sizes**2)
    if power[-1] <= 0:
        return None
    kept = axes[: int(np.searchsorted(power, _KEPT * power[-1])) + 1]
    kept = kept[: max(1, len(axes) - 1)]  # all components rebuild everything

    def error(rows: Floats) -> float:
        centred = rows - mean
        return float(np.mean((centred - centred @ kept.T @ kept) ** 2))

    base = error(check)
    return None if base <= 0 else error(now) / base


def _quantile(column: Floats, share: float) -> float:
    known = column[np.isfinite(column)]
    return float(np.quantile(known, share)) if len(known) else 0.0
