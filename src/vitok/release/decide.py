"""From a score to a decision: scope, business rules, the model, abstention; each row with its reason."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vitok.charter.predicates import Read, Test, compile_condition
from vitok.release.policy import Answer, Policy, Rule


class Decision(NamedTuple):
    """What a row is answered.

    Args:
        value: The decision; None if a person decides.
        action: Who decided: `model`, `rule`, `default`, or `hand_over`.
        reason: The rule or the limit, in words; empty for the model.
    """

    value: Any
    action: str
    reason: str


class Ranges(NamedTuple):
    """What training saw of the numeric inputs.

    Args:
        names: The inputs.
        low, high: Their extremes, shape (k,).
    """

    names: tuple[str, ...]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]


class Scored(NamedTuple):
    """A row with the model's answer, for rules after the model."""

    row: Any
    score: Any
    decision: Any


class Decider:
    """A policy made ready for rows of one kind.

    Args:
        read: From the name of an input to a function that reads it from a row.
        threshold: Of the model; None where scores are not cut.
        ranges: Of the model's reference; None if it has none.
    """

    def __init__(self, policy: Policy, read: Read, threshold: float | None, ranges: Ranges | None) -> None:
        self.policy = policy
        self.ranges = ranges
        self._threshold = threshold
        self._early = [(compile_condition(rule.when, read), rule, "default") for rule in policy.scope]
        self._early += [(compile_condition(rule.when, read), rule, "rule") for rule in policy.before]
        self._late = [(compile_condition(rule.when, _after(read)), rule, "rule") for rule in policy.after]

    def decide(
        self, rows: Sequence[Any], scores: Sequence[Any], decisions: Sequence[Any], strange: Sequence[int]
    ) -> list[Decision]:
        """Decides rows.

        Args:
            rows: As `read` reads them.
            scores, decisions: Of the model.
            strange: For each row, how many of its inputs lie outside of what training saw.
        """
        if self.policy.is_plain:
            return [Decision(decision, "model", "") for decision in decisions]
        return [
            self._one(row, score, decision, odd)
            for row, score, decision, odd in zip(rows, scores, decisions, strange, strict=True)
        ]

    def _one(self, row: Any, score: Any, decision: Any, odd: int) -> Decision:
        found = _first(self._early, row)
        if found is not None:
            return found
        outlier, unsure = self.policy.outlier, self.policy.unsure
        if outlier is not None and odd >= outlier.limit:
            return _given(outlier.answer, "default", f"{odd} inputs outside of what training saw")
        found = _first(self._late, Scored(row, score, decision))
        if found is not None:
            return found
        if unsure is not None and (distance := self._distance(score)) <= unsure.limit:
            return _given(unsure.answer, "default", f"score within {distance:.3g} of the threshold")
        return Decision(decision, "model", "")

    def _distance(self, score: Any) -> float:
        """How far a score is from deciding otherwise: from the threshold, or the best class from the second."""
        if isinstance(score, list):
            best = sorted(score)[-2:]
            return float(best[-1] - best[0])
        return float("inf") if self._threshold is None else abs(float(score) - self._threshold)


def strangeness(ranges: Ranges, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """For each row, how many numbers lie outside of what training saw; missing ones do not count.

    Args:
        matrix: Shape (n, k), columns as `ranges.names`.
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(((matrix < ranges.low) | (matrix > ranges.high)).sum(axis=1), dtype=np.int64)


def _after(read: Read) -> Read:
    def inner(name: str) -> Any:
        if name == "score":
            return lambda scored: scored.score
        if name == "decision":
            return lambda scored: scored.decision
        get = read(name)
        return lambda scored: get(scored.row)

    return inner


def _first(tests: list[tuple[Test, Rule, str]], row: Any) -> Decision | None:
    for test, rule, action in tests:
        if test(row) is True:
            return _given(rule.answer, action, rule.name)
    return None


def _given(answer: Answer, action: str, reason: str) -> Decision:
    return Decision(None, "hand_over", reason) if answer.hand_over else Decision(answer.value, action, reason)
