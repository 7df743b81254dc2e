"""Decisions for many rows at once: what `vitok.release.decide` says row by row, column by column.

A property test holds the two against each other.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import and_, or_
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from vitok.charter.predicates import AllOf, AnyOf, Condition, IsIn, IsNull, Not, Value
from vitok.release.holdout import HELD_OUT, REASON, held_out
from vitok.release.policy import Answer, Policy
from vitok.stats.outliers import Strangeness

_OPERATORS: dict[str, Any] = {
    "<": pl.Expr.__lt__,
    "<=": pl.Expr.__le__,
    ">": pl.Expr.__gt__,
    ">=": pl.Expr.__ge__,
    "=": pl.Expr.__eq__,
    "!=": pl.Expr.__ne__,
}
_UNKNOWN = pl.lit(None, dtype=pl.Boolean)
_BIG = 2**63


class Decided(NamedTuple):
    """What rows are answered.

    Args:
        answer: For each row the place of its answer in `given`; -1 where the model decides.
        given: The answers of rules and limits.
        action, reason: As in `vitok.release.decide.Decision`.
    """

    answer: npt.NDArray[np.int32]
    given: list[Answer]
    action: pl.Series
    reason: pl.Series


def decide_frame(
    policy: Policy,
    frame: pl.DataFrame,
    scores: npt.NDArray[np.float64],
    decisions: pl.Series,
    threshold: float | None,
    strange: Strangeness | None,
    units: Sequence[str],
) -> Decided:
    """Decides the rows of a frame.

    Args:
        frame: The columns that rules name, and at least one; one that is not there counts as missing.
        scores: Of the model, shape (n,) or (n, classes).
        decisions: Of the model.
        threshold: Of the model; None where scores are not cut.
        strange: How strange the rows are; None if nobody asks.
        units: That the rows belong to.
    """
    sheet, rows = _Sheet(len(scores)), _as_requests_have_it(frame)
    if policy.holdout is not None:
        sheet.give(held_out(policy.holdout, units), policy.holdout.answer, HELD_OUT, REASON)
    for rule in policy.scope:
        sheet.give(_fits(rows, rule.when), rule.answer, "default", rule.name)
    for rule in policy.before:
        sheet.give(_fits(rows, rule.when), rule.answer, "rule", rule.name)
    if policy.outlier is not None and strange is not None:
        limit = policy.outlier
        sheet.give(strange.ranks >= limit.limit, limit.answer, "default", strange.reason)
    answered = _with_answers(rows, scores, decisions) if policy.after else rows
    for rule in policy.after:
        sheet.give(_fits(answered, rule.when), rule.answer, "rule", rule.name)
    if policy.unsure is not None:
        distance, limit = _distances(scores, threshold), policy.unsure
        tell = "score within {:.3g} of the threshold".format
        sheet.give(distance <= limit.limit, limit.answer, "default", lambda place: tell(distance[place]))
    return sheet.decided()


class _Sheet:
    """Rows that are given answers; the first that a row gets stands."""

    def __init__(self, count: int) -> None:
        self._answer = np.full(count, -1, dtype=np.int32)
        self._given: list[Answer] = []
        self._actions = np.full(count, "model", dtype=object)
        self._reasons = np.full(count, "", dtype=object)

    def give(
        self, chosen: npt.NDArray[np.bool_], answer: Answer, action: str, reason: str | Callable[[int], str]
    ) -> None:
        """Gives the chosen rows an answer, unless they have one.

        Args:
            reason: In words, or a function from the place of a row.
        """
        places = np.flatnonzero(chosen & (self._answer < 0))
        self._answer[places] = len(self._given)
        self._given.append(answer)
        self._actions[places] = "hand_over" if answer.hand_over else action
        self._reasons[places] = (
            reason if isinstance(reason, str) else [reason(place) for place in places.tolist()]
        )

    def decided(self) -> Decided:
        """The answers that stand."""
        actions, reasons = (pl.Series(each, dtype=pl.String) for each in (self._actions, self._reasons))
        return Decided(self._answer, self._given, actions, reasons)


def expression(condition: Condition, schema: pl.Schema) -> pl.Expr:
    """A condition on columns: true, false, or null where a missing value leaves it unknown.

    Args:
        schema: Of the frame; a column that it does not have counts as missing.

    >>> from vitok.charter.predicates import Compare
    >>> frame = pl.DataFrame({"a": [2, 3, None]})
    >>> frame.select(expression(Compare("a", "<", 3), frame.schema)).to_series().to_list()
    [True, False, None]
    """
    if isinstance(condition, Not):
        return ~expression(condition.inner, schema)
    if isinstance(condition, AllOf | AnyOf):
        joined = or_ if isinstance(condition, AnyOf) else and_
        empty = pl.lit(isinstance(condition, AllOf))  # all of nothing holds
        return reduce(joined, (expression(each, schema) for each in condition.inner), empty)
    kind = schema.get(condition.column)
    column = pl.col(condition.column)
    if isinstance(condition, IsNull):
        return pl.lit(True) if kind is None else column.is_null()
    if kind is None or kind == pl.Null:
        return _UNKNOWN
    if isinstance(condition, IsIn):
        return reduce(or_, (_compared(column, kind, "=", value) for value in condition.values))
    return _compared(column, kind, condition.operator, condition.value)


def _compared(column: pl.Expr, kind: pl.DataType, operator: str, value: Value) -> pl.Expr:
    """Texts and numbers are never equal, and their order is unknown; a truth value is 0 or 1."""
    if (kind == pl.String) != isinstance(value, str):
        if operator not in ("=", "!="):
            return _UNKNOWN
        return pl.when(column.is_not_null()).then(operator == "!=")
    if isinstance(value, str):
        return _operate(column, operator, pl.lit(value))
    numbers = column.cast(pl.Int64) if kind == pl.Boolean else column
    number: int | float = int(value) if isinstance(value, bool) else value
    literal = pl.lit(float(number)) if isinstance(number, float) or abs(number) >= _BIG else pl.lit(number)
    return _operate(numbers, operator, literal)


def _operate(column: pl.Expr, operator: str, value: pl.Expr) -> pl.Expr:
    found: pl.Expr = _OPERATORS[operator](column, value)
    return found


def rows_that_fit(frame: pl.DataFrame, condition: Condition) -> npt.NDArray[np.bool_]:
    """For each row whether it meets a condition for certain, shape (n,).

    Args:
        frame: At least one column; one that is not there counts as missing.
    """
    return _fits(_as_requests_have_it(frame), condition)


def _fits(rows: pl.DataFrame, condition: Condition) -> npt.NDArray[np.bool_]:
    found = rows.select(expression(condition, rows.schema).fill_null(False).alias("fits"))["fits"]
    # A condition on columns that are not there is one value for all rows.
    return np.resize(found.to_numpy(), rows.height) if rows.height else np.zeros(0, dtype=np.bool_)


def _as_requests_have_it(frame: pl.DataFrame) -> pl.DataFrame:
    """Times as the texts that requests bring: ISO 8601 with `Z`, and microseconds only where there are any."""
    whole, fine = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%.6fZ"
    return frame.with_columns(
        pl.when(pl.col(name).dt.microsecond() == 0)
        .then(pl.col(name).dt.strftime(whole))
        .otherwise(pl.col(name).dt.strftime(fine))
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.Datetime)
    )


def _with_answers(frame: pl.DataFrame, scores: npt.NDArray[np.float64], decisions: pl.Series) -> pl.DataFrame:
    """The columns with the model's own; with several classes there is no one score."""
    frame = frame.drop("score", strict=False).with_columns(decisions.alias("decision"))
    return frame if scores.ndim == 2 else frame.with_columns(pl.Series("score", scores))


def _distances(scores: npt.NDArray[np.float64], threshold: float | None) -> npt.NDArray[np.float64]:
    """How far each score is from deciding otherwise: from the threshold, or the best class from the second."""
    if scores.ndim == 2:
        best = np.sort(scores, axis=1)[:, -2:]
        return np.asarray(best[:, 1] - best[:, 0], dtype=np.float64)
    return np.full(len(scores), np.inf) if threshold is None else np.abs(scores - threshold)
