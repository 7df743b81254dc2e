"""From a score to a decision: scope, business rules, the model, abstention; each row with its reason."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from vitok.charter.predicates import Read, Test, compile_condition
from vitok.release.holdout import HELD_OUT, REASON, is_held_out
from vitok.release.policy import Answer, Policy, Rule
from vitok.stats.outliers import Outliers, Strangeness


class Decision(NamedTuple):
    """What a row is answered.

    Args:
        value: The decision; None if a person decides.
        action: Who decided: `model`, `rule`, `default`, `hand_over`, or `holdout` (nobody: what one would do without).
        reason: The rule or the limit, in words; empty for the model.
    """

    value: Any
    action: str
    reason: str


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
        outliers: What tells how strange a row is; None if nobody asks, or the model cannot tell.
    """

    def __init__(
        self, policy: Policy, read: Read, threshold: float | None, outliers: Outliers | None
    ) -> None:
        self.policy = policy
        self.outliers = outliers
        self._threshold = threshold
        self._early = [(compile_condition(rule.when, read), rule, "default") for rule in policy.scope]
        self._early += [(compile_condition(rule.when, read), rule, "rule") for rule in policy.before]
        self._late = [(compile_condition(rule.when, _after(read)), rule, "rule") for rule in policy.after]

    def decide(
        self,
        rows: Sequence[Any],
        scores: Sequence[Any],
        decisions: Sequence[Any],
        strange: Strangeness | None,
        units: Sequence[str],
    ) -> list[Decision]:
        """Decides rows.

        Args:
            rows: As `read` reads them.
            scores, decisions: Of the model.
            strange: How strange the rows are; None if nobody asks.
            units: That the rows belong to.
        """
        if self.policy.is_plain:
            return [Decision(decision, "model", "") for decision in decisions]
        holdout = self.policy.holdout
        kept = None if holdout is None else Decision(holdout.answer.value, HELD_OUT, REASON)
        return [
            kept
            if kept is not None and is_held_out(holdout, units[place])
            else self._one(place, row, score, decision, strange)
            for place, (row, score, decision) in enumerate(zip(rows, scores, decisions, strict=True))
        ]

    def _one(self, place: int, row: Any, score: Any, decision: Any, strange: Strangeness | None) -> Decision:
        found = _first(self._early, row)
        if found is not None:
            return found
        outlier, unsure = self.policy.outlier, self.policy.unsure
        if outlier is not None and strange is not None and strange.ranks[place] >= outlier.limit:
            return _given(outlier.answer, "default", strange.reason(place))
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
