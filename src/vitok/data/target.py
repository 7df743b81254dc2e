"""The target column as numbers: which value is positive, which classes there are."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from vitok.errors import DataMistake
from vitok.stats.catalogue import TaskKind

Value = str | int | bool
_MAX_CLASSES = 100


@dataclass(frozen=True, slots=True)
class Classes:
    """The meaning of a target's codes.

    Args:
        task: Kind of task.
        values: The target's values in the order of their codes; for a binary task the positive one is last;
            empty for regression.
    """

    task: TaskKind
    values: tuple[Value, ...]

    def encode(self, target: pl.Series) -> np.ndarray:
        """Codes (binary, multiclass) or floats (regression), shape (n,).

        Raises:
            DataMistake: a value is none of the classes.
        """
        if self.task == "regression":
            return target.cast(pl.Float64).to_numpy().astype(np.float64)
        codes = target.replace_strict(
            list(self.values), list(range(len(self.values))), default=None, return_dtype=pl.Int64
        )
        if codes.null_count():
            unknown = target.filter(codes.is_null()).unique().to_list()
            raise DataMistake(
                f"column {target.name}",
                f"has values that are no known class: {unknown[:5]}",
                f"Known: {list(self.values)}.",
            )
        return codes.to_numpy()


def _plain(value: Any) -> Value:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value  # type: ignore[no-any-return]


def find_classes(target: pl.Series, task: TaskKind, positive: Value | None) -> Classes:
    """Finds and checks the classes of a target without missing values.

    Args:
        target: The column, labelled rows only.
        task: Kind of task.
        positive: The positive value as the charter states it; without it True, 1, "yes" or "true", else the rarer one.

    Raises:
        DataMistake: the target is constant, has too many classes, is no number (regression), or lacks `positive`.
    """
    place = f"column {target.name}"
    values = target.unique().sort().to_list()
    if len(values) < 2:
        shown = repr(values[0]) if values else "nothing"
        raise DataMistake(
            place,
            f"the target is constant ({shown} in all {len(target)} labelled rows)",
            "Choose another target, or give data in which it varies.",
        )
    if task == "regression":
        if not target.dtype.is_numeric():
            raise DataMistake(
                place,
                f"a regression target must be a number, this is {target.dtype}",
                "Set task.type to multiclass, or mend the column.",
            )
        return Classes(task, ())
    if task == "binary":
        if len(values) != 2:
            raise DataMistake(
                place,
                f"a binary target has two values, this one has {len(values)}: {values[:5]}",
                "Set task.type to multiclass or regression.",
            )
        chosen = _positive(target, values, positive, place)
        return Classes(task, tuple(_plain(v) for v in (*(v for v in values if v != chosen), chosen)))
    if len(values) > _MAX_CLASSES or (target.dtype.is_float() and any(v != int(v) for v in values)):
        raise DataMistake(
            place, f"{len(values)} distinct values are no classes", "Set task.type to regression."
        )
    return Classes(task, tuple(_plain(v) for v in values))


def _positive(target: pl.Series, values: list[Any], stated: Value | None, place: str) -> Any:
    if stated is not None:
        for value in values:
            if value == stated and isinstance(value, bool) == isinstance(stated, bool):
                return value
        for value in values:
            if str(value).lower() == str(stated).lower():
                return value
        raise DataMistake(place, f"has no value {stated!r}, only {values}", "Correct task.positive.")
    for value in values:
        if value is True or value == 1 or str(value).lower() in ("yes", "true", "y", "1"):
            return value
    counts = {value: int((target == value).sum()) for value in values}
    return min(values, key=lambda value: counts[value])
