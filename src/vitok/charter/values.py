"""The units that charter values are written in: shares, multiples, durations, times."""

import re
from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from vitok.errors import UserMistake
from vitok.kernel.clock import format_duration, parse_duration

_SHARE = re.compile(r"^(\d+(?:\.\d+)?)\s*%$")
_MULTIPLE = re.compile(r"^(\d+(?:\.\d+)?)\s*x$")
_BUDGET = re.compile(r"^(\d+)\s+per\s+(.+)$")
LONGEST = timedelta(days=36525)  # a century: what is added to a date then still is one
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_MOST = 1e15  # of money: sums and powers of it stay finite
_IN_SCHEMA = r"\d+(\.\d+)?\s*(ms|s|min|m|h|d|w|y)"


def _share(value: Any) -> Any:
    if isinstance(value, str) and (match := _SHARE.match(value)) and float(match[1]) <= 100:
        return float(match[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("write a share such as 20% or 0.2")
    return float(value)


def _multiple(value: Any) -> Any:
    if isinstance(value, str) and (match := _MULTIPLE.match(value)):
        return float(match[1])
    raise ValueError("write a multiple such as 1.5x")


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    try:
        found = parse_duration(str(value))
    except UserMistake as error:
        raise ValueError("write a duration such as 4h, 30d or 90min") from error
    if found > LONGEST:
        raise ValueError("write a duration of at most 100y, such as 30d")
    return found


def _period(value: Any) -> Any:
    found = _duration(value)
    if not found:
        raise ValueError("write a duration longer than nothing, such as 4h or 30d")
    return found


def _moment(value: Any) -> Any:
    if type(value) is date or isinstance(value, timedelta):
        return value
    try:
        found = date.fromisoformat(str(value))
    except ValueError:
        pass
    else:
        if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
            raise ValueError(f"write a date between {_FIRST_YEAR} and {_LAST_YEAR}, such as 2026-03-31")
        return found
    try:
        return _duration(value)
    except ValueError as error:
        raise ValueError(
            "write a date such as 2026-03-31, or a duration after the start such as 30d"
        ) from error


def _budget(value: Any) -> Any:
    if isinstance(value, tuple):
        return value
    if isinstance(value, str) and (match := _BUDGET.match(value)):
        return int(match[1]), _period(match[2])
    raise ValueError("write a number per duration, such as 4 per 30d")


def _rising(values: Any) -> Any:
    if isinstance(values, tuple):
        return values
    if not isinstance(values, list) or len(values) not in (2, 3) or any(isinstance(v, bool) for v in values):
        raise ValueError("write a range, [low, high] or [low, likely, high]")
    if not all(isinstance(v, int | float) for v in values) or list(values) != sorted(values):
        raise ValueError("write a range from low to high, such as [100, 150, 220]")
    if not all(abs(v) <= _MOST for v in values):  # NaN neither
        raise ValueError("write figures up to 1e15")
    return tuple(float(v) for v in values)


def _amount(value: Any) -> Any:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise ValueError("write a number from 0 to 1e15")
    return float(value)


def _amounts(values: Any) -> Any:
    found = _rising(values)
    if found[0] < 0:
        raise ValueError("write a range of amounts that are not negative, such as [100, 150, 220]")
    return found


def _rising_shares(values: Any) -> Any:
    return _rising([_share(v) for v in values] if isinstance(values, list) else values)


def _format_budget(value: tuple[int, timedelta]) -> str:
    return f"{value[0]} per {format_duration(value[1])}"


def _format_moment(value: date | timedelta) -> str:
    return value.isoformat() if isinstance(value, date) else format_duration(value)


def _text(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^\\s*{pattern}\\s*$", "examples": [example]})


Share = Annotated[
    float,
    BeforeValidator(_share),
    PlainSerializer(lambda share: f"{share * 100:g}%", return_type=str),
    WithJsonSchema(
        {
            "type": ["string", "number"],
            "pattern": r"^(100(\.0+)?|\d{1,2}(\.\d+)?)\s*%$",
            "minimum": 0,
            "maximum": 1,
            "examples": ["20%"],
        }
    ),
]
Multiple = Annotated[
    float,
    BeforeValidator(_multiple),
    PlainSerializer(lambda multiple: f"{multiple:g}x", return_type=str),
    _text(r"\d+(\.\d+)?\s*x", "1.5x"),
]
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    _text(_IN_SCHEMA, "4h"),
]
Period = Annotated[  # a duration that lasts
    timedelta,
    BeforeValidator(_period),
    PlainSerializer(format_duration, return_type=str),
    _text(_IN_SCHEMA, "30d"),
]
Moment = Annotated[
    date | timedelta,
    BeforeValidator(_moment),
    PlainSerializer(_format_moment, return_type=str),
    _text(rf"(\d{{4}}-\d{{2}}-\d{{2}}|{_IN_SCHEMA})", "30d"),
]
Budget = Annotated[
    tuple[int, timedelta],
    BeforeValidator(_budget),
    PlainSerializer(_format_budget, return_type=str),
    _text(rf"\d+\s+per\s+{_IN_SCHEMA}", "4 per 30d"),
]
Money = Annotated[float, Field(ge=-_MOST, le=_MOST)]  # earned, or lost
Amount = Annotated[
    float, BeforeValidator(_amount), WithJsonSchema({"type": "number", "minimum": 0, "maximum": _MOST})
]
Range = Annotated[
    tuple[float, ...],
    BeforeValidator(_amounts),
    PlainSerializer(list, return_type=list[float]),
    WithJsonSchema(
        {"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 2, "maxItems": 3}
    ),
]
ShareRange = Annotated[
    tuple[float, ...],
    BeforeValidator(_rising_shares),
    PlainSerializer(lambda shares: [f"{share * 100:g}%" for share in shares], return_type=list[str]),
    WithJsonSchema({"type": "array", "items": {"type": ["string", "number"]}, "minItems": 2, "maxItems": 3}),
]
Figure = Amount | Range
