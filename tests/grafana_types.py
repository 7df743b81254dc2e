"""Grafana's own types against a dashboard: keys that it does not know, and values of other types than it takes."""

import json
import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

register_default_plugins()


def faults(content: dict[str, Any]) -> list[str]:
    """What Grafana would not understand of a dashboard, by its place; empty if it understands all of it."""
    read = Dashboard.from_json(content)
    kept = json.loads(json.dumps(read, cls=JSONEncoder))
    return [*_lost(content, kept, ""), *_misfits(read, "")]


def _lost(given: Any, kept: Any, place: str) -> Iterator[str]:
    """Keys and values that the types do not keep: they have no such key."""
    if isinstance(given, dict):
        for key, value in given.items():
            if not isinstance(kept, dict) or key not in kept:
                yield f"{place}.{key}: is unknown"
            else:
                yield from _lost(value, kept[key], f"{place}.{key}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for number, pair in enumerate(zip(given, kept, strict=True)):
            yield from _lost(*pair, f"{place}[{number}]")
    elif given != kept:
        yield f"{place}: {given!r} is read as {kept!r}"


def _misfits(value: Any, place: str) -> Iterator[str]:
    """Values below an object that are not of the type that it states."""
    for name, hint in typing.get_type_hints(type(value)).items():
        found = getattr(value, name, None)
        if not _fits(found, hint):
            yield f"{place}.{name}: {found!r} is no {hint}"
        inner = found if isinstance(found, list) else [found]
        for number, each in enumerate(inner):
            if type(each).__module__.startswith("grafana_foundation_sdk"):
                yield from _misfits(each, f"{place}.{name}[{number}]")


def _fits(value: Any, hint: Any) -> bool:
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if hint in (object, typing.Any) or (value is None and type(None) in inside):
        return True
    if origin is typing.Union:
        return any(_fits(value, each) for each in inside)
    if origin is typing.Literal:
        return value in inside
    if origin is list:
        return isinstance(value, list) and all(_fits(each, inside[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict)
    if not isinstance(hint, type):
        return True  # a union of its own making
    if issubclass(hint, Enum):
        return value in [each.value for each in hint]
    if hint in (int, float):
        return isinstance(value, int | hint) and not isinstance(value, bool)
    return isinstance(value, hint)
