"""Answers that are not the model's, and what calls for them: plain data, which travels inside the release plan."""

import msgspec

from vitok.charter.predicates import Condition, Value, columns_of

AFTER = frozenset({"score", "decision"})  # what a condition names if it looks at the model's answer


class Answer(msgspec.Struct, frozen=True):
    """An answer that is not the model's.

    Args:
        hand_over: Whether a person decides instead.
        value: The decision otherwise.
    """

    hand_over: bool
    value: Value | None = None


class Rule(msgspec.Struct, frozen=True):
    """If a row satisfies the condition, it gets the answer.

    Args:
        name: The rule as the charter has it, for the record.
        when: On inputs; a rule after the model may also name `score` and `decision`.
    """

    name: str
    when: Condition
    answer: Answer

    @property
    def is_after(self) -> bool:
        """Whether it looks at the model's answer."""
        return bool(columns_of(self.when) & AFTER)


class Holdout(msgspec.Struct, frozen=True):
    """Units that always get the same answer, so that one can tell what the model earns.

    Args:
        share: Of the units.
        answer: What one would answer without a model.
        project: Name of the project, by which it is drawn who they are.
    """

    share: float
    answer: Answer
    project: str


class Limit(msgspec.Struct, frozen=True):
    """Rows beyond a limit get the answer.

    Args:
        limit: Distance of the score from the threshold (unsure), or share of
            known rows that are less strange (outlier).
    """

    limit: float
    answer: Answer
