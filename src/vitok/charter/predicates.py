"""Conditions on a row, a small part of SQL: the same text is read by the data engine and by the serving workers.

The syntax tree is plain data, so that it travels inside the release plan; workers compile it and never parse.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import msgspec

from vitok.errors import CharterMistake

GRAMMAR = r"""
start: any_of
any_of: all_of ("or"i all_of)*
all_of: negation ("and"i negation)*
negation: "not"i negation -> inverse
        | "(" any_of ")"  -> inner
        | test
test: column COMPARE literal                             -> compare
    | column "is"i NOT? "null"i                          -> is_null
    | column NOT? "in"i "(" literal ("," literal)* ")"   -> is_in
    | column "between"i literal "and"i literal           -> between
column: NAME | QUOTED
literal: NUMBER | STRING | TRUTH

COMPARE: "<=" | ">=" | "<>" | "!=" | "==" | "=" | "<" | ">"
NOT.2: "not"i
TRUTH.2: "true"i | "false"i
NUMBER: /-?\d+(\.\d+)?([eE][+-]?\d+)?/
STRING: /'([^'\n]|'')*'/
QUOTED: /"[^"\n]+"/
NAME: /[^\W\d]\w*/
%ignore /\s+/
"""

Value = bool | int | float | str
Operator = Literal["=", "!=", "<", "<=", ">", ">="]


class Compare(msgspec.Struct, frozen=True, tag="compare"):
    """`column < value`."""

    column: str
    operator: Operator
    value: Value


class IsIn(msgspec.Struct, frozen=True, tag="in"):
    """`column IN (a, b)`."""

    column: str
    values: tuple[Value, ...]


class IsNull(msgspec.Struct, frozen=True, tag="null"):
    """`column IS NULL`."""

    column: str


class Not(msgspec.Struct, frozen=True, tag="not"):
    """The opposite; unknown stays unknown."""

    inner: "Condition"


class AllOf(msgspec.Struct, frozen=True, tag="all"):
    """All of them."""

    inner: tuple["Condition", ...]


class AnyOf(msgspec.Struct, frozen=True, tag="any"):
    """Any of them."""

    inner: tuple["Condition", ...]


Condition = Compare | IsIn | IsNull | Not | AllOf | AnyOf
Test = Callable[[Any], bool | None]
Read = Callable[[str], Callable[[Any], Any]]


def parse_condition_on_rows(text: str, place: str) -> Condition:
    """Parses a condition.

    Args:
        text: For example `distance < 100 and carrier in ('UA', 'AA')`.
        place: Where it stands, for the message.

    Raises:
        CharterMistake: it is outside of the grammar.
    """
    from lark import UnexpectedInput, UnexpectedToken

    try:
        return _build(_parser().parse(text))
    except UnexpectedInput as error:
        is_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        column = len(text) + 1 if is_end or error.column <= 0 else error.column
        raise CharterMistake(
            place,
            f"cannot read the condition {text!r} at character {column}",
            "Compare columns with values (=, !=, <, <=, >, >=, in, between, is null), joined by and, or, not; texts "
            "in 'single', odd column names in \"double\" quotes.",
        ) from error


def columns_of(condition: Condition) -> set[str]:
    """The columns that a condition names."""
    if isinstance(condition, AllOf | AnyOf):
        return set().union(*(columns_of(each) for each in condition.inner))
    return columns_of(condition.inner) if isinstance(condition, Not) else {condition.column}


def compile_condition(condition: Condition, read: Read) -> Test:
    """A function that tests a row: true, false, or None where a missing value leaves it unknown, as in SQL.

    Args:
        read: From the name of a column to a function that reads it from a row.

    >>> test = compile_condition(Compare("a", "<", 3), lambda name: lambda row: row[name])
    >>> test({"a": 2}), test({"a": 3}), test({"a": None})
    (True, False, None)
    """
    if isinstance(condition, Not):
        inner = compile_condition(condition.inner, read)
        return lambda row: None if (found := inner(row)) is None else not found
    if isinstance(condition, AllOf | AnyOf):
        return _junction(
            [compile_condition(each, read) for each in condition.inner], decisive=isinstance(condition, AnyOf)
        )
    get = read(condition.column)
    if isinstance(condition, IsNull):
        return lambda row: get(row) is None
    if isinstance(condition, IsIn):
        values = condition.values
        return lambda row: (
            None if (found := get(row)) is None else any(_equal(found, each) for each in values)
        )
    compare, value = _COMPARE[condition.operator], condition.value
    return lambda row: None if (found := get(row)) is None else compare(found, value)


def _junction(tests: list[Test], *, decisive: bool) -> Test:
    """`or` if true decides, `and` if false does."""

    def test(row: Any) -> bool | None:
        unknown = False
        for each in tests:
            found = each(row)
            if found is decisive:
                return decisive
            unknown = unknown or found is None
        return None if unknown else not decisive

    return test


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, str) == isinstance(other, str)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool | None]:
    """An order that texts and numbers do not share: unknown between them."""

    def test(one: Any, other: Any) -> bool | None:
        if isinstance(one, list):
            return None  # the scores of several classes are no single number
        return compare(one, other) if isinstance(one, str) == isinstance(other, str) else None

    return test


_COMPARE: dict[str, Callable[[Any, Any], bool | None]] = {
    "=": _equal,
    "!=": lambda one, other: not _equal(one, other),
    "<": _ordered(lambda one, other: one < other),
    "<=": _ordered(lambda one, other: one <= other),
    ">": _ordered(lambda one, other: one > other),
    ">=": _ordered(lambda one, other: one >= other),
}


@lru_cache(maxsize=1)
def _parser() -> Any:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr")


def _build(tree: Any) -> Condition:
    kind, children = tree.data, tree.children
    if kind in ("start", "inner"):
        return _build(children[0])
    if kind in ("any_of", "all_of"):
        parts = tuple(_build(child) for child in children)
        return parts[0] if len(parts) == 1 else AnyOf(parts) if kind == "any_of" else AllOf(parts)
    if kind == "negation":
        return _build(children[0])
    if kind == "inverse":
        return Not(_build(children[0]))
    column, rest = _column(children[0]), children[1:]
    if kind == "compare":
        operator = {"<>": "!=", "==": "="}.get(str(rest[0]), str(rest[0]))
        return Compare(column, operator, _literal(rest[1]))  # type: ignore[arg-type]
    if kind == "between":
        return AllOf((Compare(column, ">=", _literal(rest[0])), Compare(column, "<=", _literal(rest[1]))))
    negated = bool(rest) and getattr(rest[0], "type", "") == "NOT"
    if kind == "is_null":
        return Not(IsNull(column)) if negated else IsNull(column)
    found = IsIn(column, tuple(_literal(each) for each in rest[1 if negated else 0 :]))
    return Not(found) if negated else found


def _column(tree: Any) -> str:
    return str(tree.children[0]).strip('"')


def _literal(tree: Any) -> Value:
    token = tree.children[0]
    if token.type == "STRING":
        return str(token)[1:-1].replace("''", "'")
    if token.type == "TRUTH":
        return str(token).lower() == "true"
    number = float(token)
    return int(number) if number.is_integer() and "." not in token and "e" not in token.lower() else number
