"""What a milestone waits for: a few events, counts, and figures of the model, parsed once into typed objects."""

import math
import operator as operators
import re
from dataclasses import dataclass
from typing import Any, Literal

from vitok.charter.metrics import require_metric
from vitok.errors import CharterMistake, did_you_mean
from vitok.stats.catalogue import TaskKind

EventName = Literal["baseline", "accepted", "released", "retrained"]
CountName = Literal["predictions", "labels", "windows", "turns", "versions"]

EVENTS: dict[str, str] = {
    "baseline": "a turn measured the baselines",
    "accepted": "a version was accepted",
    "released": "a version was released",
    "retrained": "a turn after the first release gave an accepted version",
}
COUNTS: dict[str, str] = {
    "predictions": "predictions in the journal",
    "labels": "predictions whose outcome is known",
    "windows": "windows whose labels have come",
    "turns": "turns that ended with a verdict",
    "versions": "registered versions",
}
_COMPARISON = re.compile(
    r"\s*([a-z][a-z0-9_]*)\s*(>=|<=|>|<|==|=|!=)\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(%?)\s*"
)
_COMPARE = {">=": operators.ge, "<=": operators.le, ">": operators.gt, "<": operators.lt}
_HINT = (
    "Write one of baseline, accepted, released, retrained, a count such as `labels >= 1000`, "
    "or a figure of the model such as `roc_auc >= 0.7`."
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened at least once."""

    name: EventName

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Count:
    """There are at least so many."""

    name: CountName
    at_least: int

    def __str__(self) -> str:
        return f"{self.name} >= {self.at_least}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric of the version in production clears a number with its whole interval."""

    metric: str
    operator: Literal[">=", "<=", ">", "<"]
    bound: float

    def __str__(self) -> str:
        return f"{self.metric} {self.operator} {self.bound:.12g}"

    def holds(self, interval: dict[str, Any]) -> bool:
        """Whether the interval clears the bound; the low end decides for `>=`, the high end for `<=`.

        Args:
            interval: `low` and `high` as a version keeps them.

        >>> Figure("roc_auc", ">=", 0.7).holds({"value": 0.72, "low": 0.69, "high": 0.75})
        False
        """
        edge = interval["low"] if self.operator in (">=", ">") else interval["high"]
        return bool(_COMPARE[self.operator](edge, self.bound))


Condition = Event | Count | Figure


def parse_condition(text: str, place: str = "done_when", task: TaskKind | None = None) -> Condition:
    """Parses one `done_when`.

    Args:
        text: For example `baseline`, `labels >= 1000`, `roc_auc >= 0.7`.
        place: Where the text stands, for the message.
        task: The kind of task, if metrics of other tasks are to be refused; None takes every known metric.

    Raises:
        CharterMistake: the text is no condition, names an unknown metric, or a count that is no whole number.

    >>> str(parse_condition("labels>=1000")), str(parse_condition("profit_per_1000 > 0"))
    ('labels >= 1000', 'profit_per_1000 > 0')
    """
    word = text.strip()
    if word in EVENTS:
        return Event(word)  # type: ignore[arg-type]
    match = _COMPARISON.fullmatch(text)
    if match is None:
        hint = did_you_mean(word, EVENTS, likeness=0.6)
        raise CharterMistake(place, f"cannot read {text!r}", f"{hint}{_HINT}")
    name, sign, number, percent = match.groups()
    if name in COUNTS:
        return _count(text, name, sign, number + percent, place)
    if sign not in _COMPARE:
        raise CharterMistake(
            place, f"cannot read {text!r}: {sign} is no bound", "Compare with >=, >, <= or <."
        )
    require_metric(name, task, place, COUNTS)
    if math.isinf(float(number)):
        raise CharterMistake(
            place, f"{number} is no number that can be reckoned with", "Write a smaller one."
        )
    return Figure(name, sign, float(number) / (100 if percent else 1))  # type: ignore[arg-type]


def _count(text: str, name: str, sign: str, number: str, place: str) -> Count:
    if sign != ">=" or not number.isdigit() or int(number) == 0:
        remedy = f"Write {name} >= and a whole number, such as `{name} >= 100`."
        raise CharterMistake(place, f"{text!r} counts in no way that can be reached", remedy)
    return Count(name, int(number))  # type: ignore[arg-type]
