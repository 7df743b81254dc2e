"""The small language of gates and triggers, parsed once into typed objects.

The grammar below is the published one. Gates say what a candidate must reach, triggers say when to retrain;
both are the same expressions. `str()` of a parsed expression is its canonical text, and parses to an equal object.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal

from lark import Lark, Transformer, UnexpectedInput, UnexpectedToken, v_args

from vitok.errors import CharterMistake
from vitok.kernel.clock import format_duration, parse_duration

GRAMMAR = r"""
expression: comparison | alarm | schedule | labels
comparison: [slice "."] NAME OPERATOR bound
slice: "slice" "(" COLUMN ["=" value] ")"
bound: NUMBER PERCENT?                              -> number
     | [NUMBER "*"] REFERENCE [SIGN NUMBER]         -> reference
alarm: ALARM
schedule: "schedule" "(" (PERIOD | DURATION) ")"
labels: "labels" ">=" COUNT
value: STRING | COLUMN | NUMBER

OPERATOR: ">=" | "<=" | ">" | "<"
ALARM.2: "drift" | "quality"
REFERENCE.2: "baseline" | "champion" | "accepted"
PERIOD.2: "hourly" | "daily" | "weekly" | "monthly"
DURATION: /\d+(\.\d+)?\s*(min|ms|s|m|h|d|w|y)/
SIGN: "+" | "-"
PERCENT: "%"
NUMBER: /-?\d+(\.\d+)?([eE][+-]?\d+)?/
COUNT: /\d+/
STRING: /"[^"\n]*"/
NAME: /[a-z][a-z0-9_]*/
COLUMN: /[^\W\d][\w]*/
%ignore /\s+/
"""

Operator = Literal[">=", "<=", ">", "<"]
Reference = Literal["baseline", "champion", "accepted"]


@dataclass(frozen=True, slots=True)
class Bound:
    """The right side of a comparison: `factor * reference + offset`, or the number `offset` alone."""

    reference: Reference | None
    factor: float
    offset: float

    def __str__(self) -> str:
        if self.reference is None:
            return f"{self.offset!r}"
        factor = "" if self.factor == 1 else f"{self.factor!r} * "
        offset = "" if self.offset == 0 else f" {'+' if self.offset > 0 else '-'} {abs(self.offset)!r}"
        return f"{factor}{self.reference}{offset}"


@dataclass(frozen=True, slots=True)
class Slice:
    """Each group of a column, or one of them."""

    column: str
    value: str | None

    def __str__(self) -> str:
        return f"slice({self.column})" if self.value is None else f'slice({self.column}="{self.value}")'


@dataclass(frozen=True, slots=True)
class Comparison:
    """`metric >= bound`, over all rows or within slices."""

    metric: str
    operator: Operator
    bound: Bound
    slice: Slice | None = None

    def __str__(self) -> str:
        prefix = "" if self.slice is None else f"{self.slice}."
        return f"{prefix}{self.metric} {self.operator} {self.bound}"

    @property
    def wants_high(self) -> bool:
        """Whether more of the metric satisfies the comparison."""
        return self.operator in (">=", ">")


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of this kind is open."""

    kind: Literal["drift", "quality"]

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True, slots=True)
class Schedule:
    """A fixed period has passed since the last turn. `monthly` follows the calendar, the others the clock."""

    period: timedelta | Literal["monthly"]

    def __str__(self) -> str:
        return f"schedule({self.period if isinstance(self.period, str) else format_duration(self.period)})"


@dataclass(frozen=True, slots=True)
class Labels:
    """So many new labels have arrived since the last turn."""

    at_least: int

    def __str__(self) -> str:
        return f"labels >= {self.at_least}"


Expression = Comparison | Alarm | Schedule | Labels

_PERIODS = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": timedelta(days=7)}


@v_args(inline=True)
class _Build(Transformer[Any, Any]):
    def expression(self, inner: Expression) -> Expression:
        return inner

    def comparison(self, where: Slice | None, name: Any, operator: Any, bound: Bound) -> Comparison:
        return Comparison(str(name), str(operator), bound, where)  # type: ignore[arg-type]

    def slice(self, column: Any, value: str | None) -> Slice:
        return Slice(str(column), value)

    def value(self, token: Any) -> str:
        return str(token).strip('"')

    def number(self, number: Any, percent: Any = None) -> Bound:
        return Bound(None, 1.0, float(number) / (100 if percent else 1))

    def reference(self, factor: Any, reference: Any, sign: Any, offset: Any) -> Bound:
        signed = 0.0 if offset is None else float(offset) * (-1 if sign == "-" else 1)
        return Bound(str(reference), 1.0 if factor is None else float(factor), signed)  # type: ignore[arg-type]

    def alarm(self, kind: Any) -> Alarm:
        return Alarm(str(kind))  # type: ignore[arg-type]

    def schedule(self, period: Any) -> Schedule:
        text = str(period)
        if text == "monthly":
            return Schedule("monthly")
        return Schedule(_PERIODS[text] if text in _PERIODS else parse_duration(text))

    def labels(self, count: Any) -> Labels:
        return Labels(int(count))


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(GRAMMAR, start="expression", parser="lalr", maybe_placeholders=True)


def parse_expression(text: str, place: str = "expression") -> Expression:
    """Parses one gate or trigger.

    Args:
        text: For example `slice(origin).roc_auc >= 0.6`, `roc_auc < 0.95 * accepted`, `schedule(weekly)`.
        place: Where the text stands, for the message.

    Raises:
        CharterMistake: the text is not of the grammar; the message points at the character.

    >>> str(parse_expression("roc_auc>=champion-0.002"))
    'roc_auc >= champion - 0.002'
    """
    try:
        result: Expression = _Build().transform(_parser().parse(text))
    except UnexpectedInput as error:
        is_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        column = len(text) + 1 if is_end or error.column <= 0 else error.column
        raise CharterMistake(
            place,
            f"cannot read {text!r} at character {column}",
            "Write a comparison such as `roc_auc >= 0.7`, `slice(carrier).recall > "
            "baseline`, `rmse < champion + 0.1`, "
            "or a trigger such as `drift`, `quality`, `schedule(weekly)`, `labels >= 20000`.",
        ) from error
    return result
