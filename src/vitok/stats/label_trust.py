"""Whether new labels contradict a model's scores more than any ordinary decline could: flipped, constant, other units.

Each test takes a decline of ordinary size as its null hypothesis, so that a model that became worse is learned from:

- *Order*: scores that tell nothing any more (any decline ends there) order labels by chance. Labels in the reverse
  order are what a flipped feed sends. Hoeffding's permutation moments, with the normal's tail.
- *Share*: the odds of a class moved up to tenfold against what the scores say, in all rows together. The share of the
  class is then a sum of independent Bernoulli variables, whose tail is exact.
- *Constant* (values): nine in ten rows share one value.
- *Size* (values): the mean absolute error is up to three times the accepted one; by Markov's inequality at most 15 %
  of the rows then lie further off than twenty times the accepted one.
"""

from statistics import NormalDist

import numpy as np
from scipy.stats import binom, rankdata

from vitok.stats.scores import Floats, Scored, Undecidable

LEAST_ROWS, ALPHA = 50, 0.001
_LEAST_IN_CLASS = 10  # the normal's tail is rough for the order of fewer
_ODDS = 10.0
_NEVER_SURE = 0.005  # calibrated steps say 0 and 1 after few rows: odds start here
_SAME_VALUE = 0.9
_DECLINE, _FAR = 3.0, 20.0


def distrust(scored: Scored, accepted_error: float | None = None) -> str | None:
    """Why labels are not to be learned from, None if nothing speaks against them.

    All tests together are wrong in at most `ALPHA` of the looks at labels that only declined.

    Args:
        scored: The newest rows; `scores` of classes are probabilities.
        accepted_error: Of values: the mean absolute error that was accepted; None if it is not known.

    Raises:
        Undecidable: there are too few rows.

    >>> scores = np.linspace(0.05, 0.95, 200)
    >>> right = (scores > 0.5).astype(float)
    >>> distrust(Scored("binary", right, scores)) is None
    True
    >>> distrust(Scored("binary", 1 - right, scores))
    'the labels run against the order of the scores, as if they were flipped'
    """
    if scored.rows < LEAST_ROWS:
        raise Undecidable(f"it takes {LEAST_ROWS} rows")
    found = _of_values(scored, accepted_error) if scored.task == "regression" else _of_classes(scored)
    worst = min(found, key=lambda reason: found[reason])
    return worst if found[worst] * len(found) <= ALPHA else None


def _of_classes(scored: Scored) -> dict[str, float]:
    scores = np.asarray(scored.scores, dtype=np.float64)
    table = scores if scores.ndim == 2 else np.column_stack([1 - scores, scores])
    truth = np.asarray(scored.truth, dtype=np.int64)
    counts = np.bincount(truth, minlength=table.shape[1])
    found: dict[str, float] = {}
    if np.sort(counts)[-2] >= _LEAST_IN_CLASS:
        ordered = table if scores.ndim == 2 else np.outer(rankdata(scores), [0.0, 1.0])
        found["the labels run against the order of the scores, as if they were flipped"] = _order(
            ordered, truth, counts
        )
    for place in (1,) if scores.ndim == 1 else range(len(counts)):
        named = "positive" if scores.ndim == 1 else f"of class {place}"
        few, many = _share(table[:, place], int(counts[place]))
        found[f"far fewer labels are {named} than the scores expect"] = few
        found[f"far more labels are {named} than the scores expect"] = many
    return found


def _of_values(scored: Scored, accepted_error: float | None) -> dict[str, float]:
    truth, scores = (np.asarray(each, dtype=np.float64) for each in (scored.truth, scored.scores))
    table = np.outer(rankdata(scores), np.unique(rankdata(truth)))
    codes = np.unique(truth, return_inverse=True)[1]
    counts = np.bincount(codes)
    found = {f"all labels are {truth[0]:g}": _SAME_VALUE ** len(truth) if len(counts) == 1 else 1.0}
    if len(counts) > 1:
        found["the labels run against the order of the predictions"] = _order(table, codes, counts)
    if accepted_error:
        far = int((np.abs(truth - scores) > _FAR * accepted_error).sum())
        reason = "labels lie far outside the accepted error, as if they were in other units"
        found[reason] = float(binom.sf(far - 1, len(truth), _DECLINE / _FAR))
    return found


def _order(table: Floats, truth: np.ndarray, counts: np.ndarray) -> float:
    """How often labels dealt at random agree with the scores as little as these.

    Args:
        table: Shape (n, k): how well each row's score agrees with each label.
    """
    rows, shares = len(truth), counts / len(truth)
    centred = table - (table @ shares)[:, None]
    centred = centred - centred.mean(axis=0)
    variance = float((centred**2 @ counts).sum()) / (rows - 1)
    if variance <= 0:
        return 1.0
    return NormalDist().cdf(float(centred[np.arange(rows), truth].sum()) / variance**0.5)


def _share(expected: Floats, count: int) -> tuple[float, float]:
    """How often so few rows, and so many, are of a class whose odds all moved tenfold that way."""
    clipped = np.clip(expected, _NEVER_SURE, 1 - _NEVER_SURE)
    odds = clipped / (1 - clipped)
    fewer, more = (_counts(moved / (1 + moved)) for moved in (odds / _ODDS, odds * _ODDS))
    return min(1.0, float(fewer[: count + 1].sum())), min(1.0, float(more[count:].sum()))


def _counts(chances: Floats) -> Floats:
    """The distribution of how many independent events happen."""
    found = np.ones(1)
    for chance in chances:
        found = np.append(found * (1 - chance), 0.0) + np.append(0.0, found * chance)
    return found
