"""Which rows train, which validate, which give the verdict."""

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
    classes: int,
    seed: int,
) -> Parts:
    """Divides rows.

    Args:
        truth: Codes or values of the target, shape (n,).
        times: Moment of each row, or None.
        by: None means by time if there are times, else stratified for classes, else random.
        test: Share of the rows, or (by time) length of the last period.
        validation: Share of all rows, taken from what is left.
        classes: Number of classes, 0 for regression.
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
    _require_classes(truth[parts[0]], classes)
    return Parts(*parts, by=chosen, warnings=_warnings(truth[parts[2]], classes))


def _rows_in_last(times: pl.Series, period: timedelta) -> int:
    last = times.max()
    assert last is not None
    return int((times > last - period).sum())  # type: ignore[operator]


def _shuffled(truth: np.ndarray, *, stratified: bool, seed: int) -> np.ndarray:
    """A random order; stratified, every prefix and suffix has nearly the shares of the whole."""
    rng = np.random.default_rng(seed)
    if not stratified:
        return rng.permutation(len(truth))
    position = np.empty(len(truth))
    for code in np.unique(truth):
        rows = rng.permutation(np.flatnonzero(truth == code))
        position[rows] = (np.arange(len(rows)) + rng.random()) / len(rows)
    return np.argsort(position, kind="stable")


def _require_classes(truth: np.ndarray, classes: int) -> None:
    present = len(np.unique(truth))
    if classes and present < classes:
        raise DataMistake(
            "data.split",
            f"only {present} of {classes} classes occur in the training rows",
            "Give more rows, or split stratified.",
        )


def _warnings(truth: np.ndarray, classes: int) -> tuple[str, ...]:
    if not classes:
        return (f"the test part has only {len(truth)} rows",) if len(truth) < _FEW else ()
    counts = np.bincount(truth.astype(int), minlength=classes)
    return tuple(
        f"class {code} has only {count} test rows: its figures are weak"
        for code, count in enumerate(counts)
        if count < _FEW
    )
