"""JSON values in databases that take JSON by its letter: numbers without end and those that are none are marked."""

import json
import math
from typing import Any

import msgspec

_MARK, _NAMES = "$float", ("inf", "-inf", "nan")


def write_json(value: Any) -> str:
    """A value as JSON, in which `inf`, `-inf` and `nan` are objects of one key.

    >>> write_json({"high": float("inf"), "low": 0.5})
    '{"high": {"$float": "inf"}, "low": 0.5}'
    """
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_marked(value), allow_nan=False)


def read_json(text: str | bytes) -> Any:
    """A value as it was given to `write_json`.

    >>> read_json('{"high": {"$float": "inf"}, "low": 0.5}')
    {'high': inf, 'low': 0.5}
    """
    mark: Any = _MARK if isinstance(text, str) else _MARK.encode()
    # Several times faster than the standard library's; values are the same.
    return json.loads(text, object_hook=_unmarked) if mark in text else msgspec.json.decode(text)


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _marked(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(each) for each in value]
    return {_MARK: str(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _unmarked(found: dict[str, Any]) -> Any:
    return float(found[_MARK]) if found.keys() == {_MARK} and found[_MARK] in _NAMES else found
