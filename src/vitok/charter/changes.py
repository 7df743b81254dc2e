"""What changed between two charters, in words; and which of it changed the criteria that versions are judged by.

Charters are compared as the JSON values in which they are stored, so that one of years ago needs no older Vitok. A
key that is missing says as much as an empty one.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from vitok.charter.gatechanges import REWRITTEN, gate_changes

_LONGEST = 60
# Lists of objects that have a name: they are compared by it, and called so.
_NAMED = {
    "risks": ("id", "risk"),
    "experiments": ("id", "experiment"),
    "plan.milestones": ("name", "milestone"),
    "scope.out": ("what", "left out"),
}
# How keys are called where the last words of their path would not do.
_LABELS = {
    "decide.costs": "costs",
    "decide.threshold": "threshold",
    "task.label_delay": "label delay",
    "task.target": "target",
    "goal.kpi": "KPI",
    "data.query": "query",
    "data.split": "split",
    "retrain.on": "trigger",
    "train.seed": "seed",
}
# What decides whether a version is accepted: gates, how a score becomes a decision, and which rows with which truth
# are looked at. The seed divides rows that are split at random; baselines are what gates compare with.
CRITERIA = (
    "accept",
    "decide",
    "task",
    "data.sources",
    "data.query",
    "data.personal",
    "data.exclude",
    "data.trusted",
    "data.expect",
    "data.split",
    "train.baselines",
    "train.seed",
    "scope.out",
)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two charters.

    Args:
        key: The key, as `decide.costs.fn`; of lists, the list's.
        sentence: The change in words, in one line.
    """

    key: str
    sentence: str

    def as_json(self) -> dict[str, str]:
        """The change as JSON values."""
        return asdict(self)


def charter_changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """All differences of two charters, in the order of the keys.

    Args:
        old, new: Charters as JSON values.

    >>> [change.sentence for change in charter_changes({"accept": ["f1 >= 0.7"]}, {"accept": ["f1 >= 0.65"]})]
    ['gate `f1 >= 0.7` was loosened to `f1 >= 0.65`']
    """
    return [Change(key, sentence) for key, sentence in _mapping("", old, new)]


def criteria_changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Those differences that change what a version must be to be accepted, or the rows that it is judged on."""
    watched = any("worst_slice" in gate for gate in [*(old.get("accept") or []), *(new.get("accept") or [])])
    criteria = (*CRITERIA, *(["monitor.slices"] if watched else []))  # what `worst_slice` goes through
    return [
        change
        for change in charter_changes(old, new)
        if change.sentence != REWRITTEN
        and any(change.key == key or change.key.startswith(f"{key}.") for key in criteria)
    ]


def _is_empty(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_empty(inner) for inner in value.values())
    return value is None or value == []


def _any(path: str, old: Any, new: Any) -> Iterator[tuple[str, str]]:
    if old == new or (_is_empty(old) and _is_empty(new)):
        return
    if path == "accept":
        for sentence in gate_changes(old or [], new or []):
            yield path, sentence
    elif isinstance(old, list | None) and isinstance(new, list | None) and not _is_range(old or new):
        yield from _items(path, old or [], new or [])
    elif isinstance(old, dict | None) and isinstance(new, dict | None):
        yield from _mapping(path, old or {}, new or {})
    else:
        yield path, _value(_label(path), old, new)


def _is_range(value: Any) -> bool:
    """Whether a list is one figure, such as `[100, 150, 220]`."""
    return bool(value) and not any(isinstance(item, str | dict) for item in value)


def _mapping(path: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in dict.fromkeys([*old, *new]):
        inner = f"{path}.{key}" if path else str(key)
        yield from _any(inner, old.get(key), new.get(key))


def _items(path: str, old: list[Any], new: list[Any]) -> Iterator[tuple[str, str]]:
    """A list: what came, what went, and what changed under the same name."""
    field, noun = _NAMED.get(path, (None, _label(path)))
    before, after = _by_name(old, field), _by_name(new, field)
    if before is None or after is None:  # a name stands twice: compare the whole items
        field, before, after = None, _by_name(old, None), _by_name(new, None)
    assert before is not None
    assert after is not None
    for name in before:
        if name not in after:
            yield path, f"{noun} {_short(name)} removed"
    for name, item in after.items():
        if name not in before:
            what = item.get("what") if isinstance(item, dict) and field == "id" else None
            yield path, f"{noun} {_short(name)} added" + (f": {_short(what)}" if what else "")
        elif field is not None:
            yield from ((path, sentence) for sentence in _item(f"{noun} {_short(name)}", before[name], item))
    shared = [name for name in before if name in after]
    if len(old) != len(before) or len(new) != len(after):
        yield path, f"{noun}: the same stands more or less often"
    elif shared != [name for name in after if name in before]:
        yield path, f"{noun}: the order changed"


def _by_name(items: list[Any], field: str | None) -> dict[str, Any] | None:
    """Items by their name, or by their whole text; None if a name stands twice."""
    if field is None:
        return {item if isinstance(item, str) else json.dumps(item, sort_keys=True): item for item in items}
    named = {str(item[field] if isinstance(item, dict) else item): item for item in items}
    return named if len(named) == len(items) else None


def _item(name: str, old: Any, new: Any) -> Iterator[str]:
    if not isinstance(old, dict) or not isinstance(new, dict):
        if old != new:
            yield f"{name}: {_short(old)} -> {_short(new)}"
        return
    for key in dict.fromkeys([*old, *new]):
        before, after = old.get(key), new.get(key)
        if before != after and not (_is_empty(before) and _is_empty(after)):
            yield _value(f"{name}: {key}", before, after)


def _value(label: str, old: Any, new: Any) -> str:
    if _is_empty(old):
        return f"{label} {_short(new)} added"
    if _is_empty(new):
        return f"{label} {_short(old)} removed"
    before, after = _short(old), _short(new)
    if before == after:  # long texts that differ only where they are cut
        return f"{label} changed after {before!r}"
    return f"{label} {before} -> {after}"


def _label(path: str) -> str:
    for key, label in _LABELS.items():
        if path == key or path.startswith(f"{key}."):
            return label + path[len(key) :]
    return path


def _short(value: Any) -> str:
    """A value on one line."""
    text = value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _plain(value: Any) -> Any:
    """Whole numbers without a point, as people write them."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
