"""The small language of gates, alerts and triggers, parsed once into typed objects.

The grammar below is the published one. Gates say what a candidate must reach, alerts what must not happen in
production, triggers when to retrain; all are the same expressions. `str()` of a parsed expression is its canonical
text, and parses to an equal object.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal, get_args

from croniter import croniter
from lark import Lark, Transformer, UnexpectedInput, UnexpectedToken, v_args
from lark.exceptions import VisitError

from vitok.charter.section import Role
from vitok.charter.values import LONGEST
from vitok.errors import CharterMistake, UserMistake, shortened
from vitok.kernel.clock import format_duration, parse_duration

GRAMMAR = r"""
expression: comparison | ask | alarm | change | schedule | cron | labels
comparison: [ESTIMATED] [part "."] NAME OPERATOR bound [period]
part: slice
    | "worst_slice" ["(" COLUMN ")"]               -> worst
    | "gap" "(" COLUMN ")"                         -> gap
slice: "slice" "(" COLUMN ["=" value] ")"
bound: NUMBER [UNIT]                               -> number
     | [NUMBER "*"] other [SIGN NUMBER [UNIT]]     -> relative
other: REFERENCE
     | "slice" "(" COLUMN "=" value ")" ["." NAME] -> group
period: "for" "window" "(" DURATION ")"
ask: "ask" "(" ROLE ["," STRING] ")"
alarm: ALARM
change: CHANGE
schedule: "schedule" "(" (PERIOD | DURATION) ")"
cron: "schedule" "(" STRING ")"
labels: "labels" ">=" COUNT
value: STRING | COLUMN | NUMBER

OPERATOR: ">=" | "<=" | ">" | "<"
ALARM.2: "drift" | "quality"
CHANGE.2: "new_data" | "charter" | "libraries"
ESTIMATED.2: "estimated"
REFERENCE.2: "baseline" | "champion" | "accepted"
PERIOD.2: "hourly" | "daily" | "weekly" | "monthly"
ROLE.2: "product_owner" | "project_manager" | "domain_expert" | "data_engineer" | "data_annotator"
      | "data_scientist" | "ml_engineer" | "mlops_engineer"
DURATION: /\d+(\.\d+)?\s*(min|ms|s|m|h|d|w|y)/
UNIT: /%|(ms|s|min|h|d|w|kB|MB|GB)\b/
SIGN: "+" | "-"
NUMBER: /-?\d+(\.\d+)?([eE][+-]?\d+)?/
COUNT: /\d+/
STRING: /"[^"\n]*"/
NAME: /[a-z][a-z0-9_]*/
COLUMN: /[^\W\d][\w]*/
%ignore /\s+/
"""

Operator = Literal[">=", "<=", ">", "<"]
Reference = Literal["baseline", "champion", "accepted"]


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


@dataclass(frozen=True, slots=True)
class Slice:
    """Each group of a column, or one of them."""

    column: str
    value: str | None

    def __str__(self) -> str:
        return f"slice({self.column})" if self.value is None else f'slice({self.column}="{self.value}")'


@dataclass(frozen=True, slots=True)
class WorstSlice:
    """The worst group of a column; without a column, of all columns in `monitor.slices`."""

    column: str | None

    def __str__(self) -> str:
        return "worst_slice" if self.column is None else f"worst_slice({self.column})"


@dataclass(frozen=True, slots=True)
class Gap:
    """The largest difference between two groups of a column."""

    column: str

    def __str__(self) -> str:
        return f"gap({self.column})"


Part = Slice | WorstSlice | Gap


@dataclass(frozen=True, slots=True)
class Bound:
    """The right side of a comparison: `factor * reference + offset`, or the number `offset` alone.

    Args:
        reference: What is compared with; None for a number.
        offset: As written, in `unit`; a percentage is a share already.
        unit: Unit of the offset, empty for the metric's own.
    """

    reference: Reference | Slice | None
    factor: float
    offset: float
    unit: str = ""

    def __str__(self) -> str:
        if self.reference is None:
            return f"{_number(self.offset)}{self.unit}"
        factor = "" if self.factor == 1 else f"{_number(self.factor)} * "
        sign = "+" if self.offset > 0 else "-"
        offset = "" if self.offset == 0 else f" {sign} {_number(abs(self.offset))}{self.unit}"
        return f"{factor}{self.reference}{offset}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`metric >= bound`, over all rows or within a part of them, over all their time or the last period of it.

    Args:
        estimated: Whether the figure is what is estimated before labels come.
    """

    metric: str
    operator: Operator
    bound: Bound
    part: Part | None = None
    period: timedelta | None = None
    estimated: bool = False

    def __str__(self) -> str:
        prefix = "estimated " if self.estimated else ""
        prefix += "" if self.part is None else f"{self.part}."
        suffix = "" if self.period is None else f" for window({format_duration(self.period)})"
        return f"{prefix}{self.metric} {self.operator} {self.bound}{suffix}"

    @property
    def wants_high(self) -> bool:
        """Whether more of the metric satisfies the comparison."""
        return self.operator in (">=", ">")

    @property
    def columns(self) -> list[str]:
        """The columns by whose groups it asks; `worst_slice` without one names none here."""
        parts = [part for part in (self.part, self.bound.reference) if isinstance(part, Part)]
        return list(dict.fromkeys(part.column for part in parts if part.column is not None))


@dataclass(frozen=True, slots=True)
class Ask:
    """A person of this role must say yes."""

    role: Role
    question: str

    def __str__(self) -> str:
        return f'ask({self.role}, "{self.question}")' if self.question else f"ask({self.role})"


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
class Cron:
    """A moment that the fields of cron name (minute, hour, day, month, weekday; UTC) has passed since the last turn."""

    fields: str

    def __str__(self) -> str:
        return f'schedule("{self.fields}")'


@dataclass(frozen=True, slots=True)
class Changed:
    """Something that turns are made of is not what it was when the last one began.

    Args:
        what: `new_data` (a source), `charter` (what is accepted, and how answers are made), or `libraries` (what trains
            and serves: a security update among them).
    """

    what: Literal["new_data", "charter", "libraries"]

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class Labels:
    """So many new labels have arrived since the last turn."""

    at_least: int

    def __str__(self) -> str:
        return f"labels >= {self.at_least}"


Gate = Comparison | Ask
Trigger = Comparison | Alarm | Changed | Schedule | Cron | Labels
Expression = Comparison | Ask | Alarm | Changed | Schedule | Cron | Labels

ROLES: tuple[str, ...] = get_args(Role)
_PERIODS = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": timedelta(days=7)}


@v_args(inline=True)
class _Build(Transformer[Any, Any]):
    def expression(self, inner: Expression) -> Expression:
        return inner

    def comparison(
        self,
        estimated: Any,
        part: Part | None,
        name: Any,
        operator: Any,
        bound: Any,
        period: timedelta | None,
    ) -> Comparison:
        bound, again = bound
        if again is not None and str(again) != str(name):
            raise CharterMistake(
                "", f"{name} is compared with {again}", "Write the same metric on both sides."
            )
        return Comparison(str(name), str(operator), bound, part, period, estimated is not None)  # type: ignore[arg-type]

    def part(self, inner: Part) -> Part:
        return inner

    def worst(self, column: Any) -> WorstSlice:
        return WorstSlice(None if column is None else str(column))

    def gap(self, column: Any) -> Gap:
        return Gap(str(column))

    def slice(self, column: Any, value: str | None) -> Slice:
        return Slice(str(column), value)

    def group(self, column: Any, value: str, metric: Any) -> tuple[Slice, Any]:
        return Slice(str(column), value), metric

    def value(self, token: Any) -> str:
        return str(token).strip('"')

    def number(self, number: Any, unit: Any) -> tuple[Bound, None]:
        return Bound(None, 1.0, *_offset("+", number, unit)), None

    def relative(self, factor: Any, other: Any, sign: Any, offset: Any, unit: Any) -> tuple[Bound, Any]:
        reference, metric = other
        times = 1.0 if factor is None else _finite(factor)
        return Bound(reference, times, *_offset(sign, offset, unit)), metric

    def other(self, reference: Any) -> tuple[str, None]:
        return str(reference), None

    def period(self, duration: Any) -> timedelta:
        return _lasting(str(duration))

    def ask(self, role: Any, question: Any) -> Ask:
        return Ask(str(role), "" if question is None else str(question).strip('"'))  # type: ignore[arg-type]

    def alarm(self, kind: Any) -> Alarm:
        return Alarm(str(kind))  # type: ignore[arg-type]

    def change(self, what: Any) -> Changed:
        return Changed(str(what))  # type: ignore[arg-type]

    def cron(self, text: Any) -> Cron:
        fields = " ".join(str(text).strip('"').split())
        if len(fields.split()) != 5 or not croniter.is_valid(fields):
            what = f"{fields!r} is no schedule of cron"
            remedy = (
                'Write minute, hour, day, month, weekday, such as "0 6 * * mon", or a word such as weekly.'
            )
            raise CharterMistake("", what, remedy)
        return Cron(fields)

    def schedule(self, period: Any) -> Schedule:
        text = str(period)
        if text == "monthly":
            return Schedule("monthly")
        return Schedule(_PERIODS[text] if text in _PERIODS else _lasting(text))

    def labels(self, count: Any) -> Labels:
        if int(count) == 0:
            raise CharterMistake(
                "", "no new label is needed for this to hold", "Write at least `labels >= 1`."
            )
        return Labels(int(count))


def _offset(sign: Any, number: Any, unit: Any) -> tuple[float, str]:
    value = 0.0 if number is None else _finite(number) * (-1 if sign == "-" else 1) + 0.0
    return (value / 100, "") if unit == "%" else (value, "" if unit is None else str(unit))


def _finite(number: Any) -> float:
    if not math.isfinite(value := float(number)):
        raise CharterMistake("", f"{number} is no number that can be reckoned with", "Write a smaller one.")
    return value


def _lasting(text: str) -> timedelta:
    """A period of an expression: longer than nothing, and short enough to be taken from a date."""
    try:
        found = parse_duration(text)
    except UserMistake as error:
        raise CharterMistake("", error.what, error.remedy) from error
    if not timedelta() < found <= LONGEST:
        raise CharterMistake(
            "", f"{text!r} is no period", "Write one up to 100y that is not zero, such as 30d."
        )
    return found


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(GRAMMAR, start="expression", parser="lalr", maybe_placeholders=True)


def parse_expression(text: str, place: str = "expression") -> Expression:
    """Parses one gate, alert or trigger.

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
        at = error.pos_in_stream
        column = len(text) + 1 if is_end or at is None else at + 1  # of the whole text, whatever lines it has
        raise CharterMistake(
            place,
            f"cannot read {shortened(text)} at character {column}",
            f"{_expected(error)}Gates and alerts are comparisons such as `roc_auc >= 0.7`, "
            "`slice(carrier).recall > baseline`, `gap(sex).recall <= 10%`, or questions such as "
            '`ask(domain_expert, "Is it plausible?")`; triggers also `drift`, `quality`, `schedule(weekly)`, '
            '`schedule("0 6 * * mon")`, `labels >= 20000`, `new_data`, `charter`, `libraries`. See docs/charter.md.',
        ) from error
    except VisitError as error:
        if isinstance(error.orig_exc, CharterMistake):
            raise CharterMistake(place, error.orig_exc.what, error.orig_exc.remedy) from None
        raise
    return result


_READABLE = {
    "OPERATOR": ">=, <=, > or <",
    "NUMBER": "a number",
    "REFERENCE": "baseline, champion or accepted",
    "COLUMN": "a column",
    "NAME": "a metric",
    "DURATION": "a duration such as 30d",
    "COUNT": "a whole number",
    "ROLE": f"a role ({', '.join(ROLES)})",
    "STRING": 'a text in "quotes"',
    "DOT": "a point and a metric",
    "RPAR": "`)`",
    "LPAR": "`(`",
}


def _expected(error: UnexpectedInput) -> str:
    """What could stand at the place of the mistake, where that is a short list."""
    wanted: set[str] = getattr(error, "expected", None) or getattr(error, "allowed", None) or set()
    words = [_READABLE[name] for name in _READABLE if name in wanted]
    return f"Expected there: {' or '.join(words)}. " if words and len(wanted) <= 4 else ""
