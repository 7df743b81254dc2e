"""Which rows train, which validate, which give the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np
import polars as pl

from vitok.errors import DataMistake

_FEW = 30


@dataclass(frozen=True, slots=True)
class Parts:
    """Row numbers of each part, and what to know of them.

    Args:
        train, validation, test: Row numbers, disjoint.
        by: How they were divided.
        warnings: What makes the verdict weak.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    by: str
    warnings: tuple[str, ...]


def split(
    truth: np.ndarray,
    times: pl.Series | None,
    *,
    by: Literal["time", "random", "stratified"] | None,
    test: float | timedelta,
    validation: float,
    classes: Sequence[object],
    seed: int,
) -> Parts:
    """Divides rows.

    Args:
        truth: Codes or values of the target, shape (n,).
        times: Moment of each row, or None.
        by: None means by time if there are times, else stratified for classes, else random.
        test: Share of the rows, or (by time) length of the last period.
        validation: Share of all rows, taken from what is left.
        classes: The classes in the order of their codes; empty for regression.
        seed: Seed of the shuffle.

    Raises:
        DataMistake: a part would be empty, or the division needs what the data has not.
    """
    chosen = by or ("time" if times is not None else "stratified" if classes else "random")
    if chosen == "time" and times is None:
        raise DataMistake(
            "data.split.by", "a split by time needs task.time", "Name the time column, or split at random."
        )
    if isinstance(test, timedelta) and chosen != "time":
        raise DataMistake("data.split.test", "a period needs a split by time", "Write a share such as 20%.")
    if chosen == "stratified" and not classes:
        chosen = "random"
    n = len(truth)
    if chosen == "time":
        assert times is not None
        order = times.arg_sort().to_numpy()
        tested = _rows_in_last(times, test) if isinstance(test, timedelta) else round(n * test)
    else:
        order = _shuffled(truth, stratified=chosen == "stratified", seed=seed)
        assert not isinstance(test, timedelta)
        tested = round(n * test)
    validated = round(n * validation)
    trained = n - tested - validated
    if min(trained, tested, validated) < 1:
        raise DataMistake(
            "data.split",
            f"{n} rows give {trained} to train, {validated} to validate, {tested} to test",
            "Give more rows or other shares.",
        )
    parts = order[:trained], order[trained : trained + validated], order[trained + validated :]
    _require_classes(truth, parts[0], parts[1], classes, chosen)
    return Parts(*parts, by=chosen, warnings=_warnings(truth[parts[2]], classes))


def _rows_in_last(times: pl.Series, period: timedelta) -> int:
    last = times.max()
    assert last is not None
    return int((times > last - period).sum())  # type: ignore[operator]


def _shuffled(truth: np.ndarray, *, stratified: bool, seed: int) -> np.ndarray:
    """A random order; stratified, every prefix and suffix has nearly the shares of the whole."""
    rng = np.random.default_rng(seed)
    n = len(truth)
    if not stratified:
        return rng.permutation(n)
    position = np.empty(n)
    for code in np.unique(truth):
        rows = rng.permutation(np.flatnonzero(truth == code))
        position[rows] = (np.arange(len(rows)) + rng.random()) / len(rows)
        position[rows[0]] = min(position[rows[0]], 1 / n)  # it trains, were it the only one
    return np.argsort(position, kind="stable")


def _require_classes(
    truth: np.ndarray, train: np.ndarray, validation: np.ndarray, classes: Sequence[object], chosen: str
) -> None:
    remedy = "Give more rows" + ("." if chosen == "stratified" else ", or set data.split.by: stratified.")
    absent = sorted(set(range(len(classes))) - set(np.unique(truth[train]).astype(int)))
    if absent:
        named = ", ".join(repr(classes[code]) for code in absent[:5])
        what = (
            f"{len(absent)} of {len(classes)} classes do not occur in the {len(train)} training rows: {named}"
        )
        raise DataMistake("data.split", what, remedy)
    if len(classes) == 2 and len(np.unique(truth[validation])) < 2:
        what = f"all {len(validation)} validation rows are of one class: no threshold can be chosen on them"
        raise DataMistake("data.split", what, remedy)


def _warnings(truth: np.ndarray, classes: Sequence[object]) -> tuple[str, ...]:
    if not classes:
        return (f"the test part has only {len(truth)} rows",) if len(truth) < _FEW else ()
    counts = np.bincount(truth.astype(int), minlength=len(classes))
    return tuple(
        f"class {classes[code]!r} has only {count} test rows: its figures are weak"
        for code, count in enumerate(counts)
        if count < _FEW
    )
