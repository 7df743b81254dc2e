"""What an incoming outcome means beside what is known: new, unknown, repeated, or contradicting."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from vitok.journal.records import Outcome

Value = str | int | float | bool


class Classified(NamedTuple):
    """Incoming outcomes by what is to be done with them.

    Args:
        matched: New, and their prediction is known: stored.
        unmatched: New, but nothing with this id was predicted: stored, and joined when the prediction
            arrives.
        duplicates: The same value as before: ignored.
        conflicts: Another value than before, without `replace`: ignored, the first value stands.
    """

    matched: list[Outcome]
    unmatched: list[Outcome]
    duplicates: list[Outcome]
    conflicts: list[Outcome]

    @property
    def to_store(self) -> list[Outcome]:
        """What the journal has to keep."""
        return self.matched + self.unmatched


def classify(
    incoming: Iterable[Outcome],
    predicted: Callable[[str], bool] | Mapping[str, Any] | set[str] | frozenset[str],
    known: Callable[[str], Value | None] | Mapping[str, Value],
) -> Classified:
    """Sorts incoming outcomes; within the batch the same rules apply in its order.

    Args:
        predicted: Whether an id was predicted: a function, or anything that holds the ids.
        known: The value that stands for an id: a function (None if there is none), or a mapping.
    """
    is_predicted = predicted if callable(predicted) else predicted.__contains__
    standing = known if callable(known) else known.get
    result = Classified([], [], [], [])
    fresh: dict[str, Value] = {}
    for outcome in incoming:
        before = fresh.get(outcome.id)
        if before is None:
            before = standing(outcome.id)
        if before is not None and is_same(before, outcome.value):
            result.duplicates.append(outcome)
        elif before is not None and not outcome.replace:
            result.conflicts.append(outcome)
        else:
            fresh[outcome.id] = outcome.value
            (result.matched if is_predicted(outcome.id) else result.unmatched).append(outcome)
    return result


def is_same(one: Value, other: Value) -> bool:
    """Whether two values are the same JSON value; `true` is not 1, but 1 is 1.0."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
