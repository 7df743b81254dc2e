"""How risky it is to put one bundle in another's place."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

Risk = Literal["low", "medium", "high"]

_HIGH = ("task", "target", "algorithm", "classes", "positive")
_MEDIUM = ("features", "inputs", "parameters", "feature_function")
_DESCRIPTION = ("example", "levels", "integer")


def risk_class(
    old: Mapping[str, Any] | None, new: Mapping[str, Any], criteria: Sequence[str] = ()
) -> tuple[Risk, list[str]]:
    """The risk class of a release, and what it rests on.

    Args:
        old: Manifest of the version in production as a mapping, None for the first release.
        new: Manifest of the version to release.
        criteria: What changed in the charter about what is accepted, in words.

    Returns:
        `high` for the first release, another task, target or algorithm, or other criteria; `medium` for other
        features, feature code or parameters; else `low`. With it each difference in words.

    >>> risk_class(None, {"algorithm": "linear"})
    ('high', ['the first release'])
    >>> risk_class({"parameters": {"C": 1}}, {"parameters": {"C": 2}})
    ('medium', ['parameters differ'])
    """
    if old is None:
        return "high", ["the first release"]
    high = [f"{key}: {old.get(key)} -> {new.get(key)}" for key in _HIGH if old.get(key) != new.get(key)]
    high += [f"charter: {sentence}" for sentence in criteria]
    medium = [f"{key} differ" for key in _MEDIUM if _essence(old.get(key)) != _essence(new.get(key))]
    if _feature_code(old) != _feature_code(new):
        medium.append("the code of features differs")
    if high:
        return "high", high + medium
    return ("medium", medium) if medium else ("low", ["refreshed data alone"])


def _essence(value: Any) -> Any:
    """Fields without what only describes the training rows: a new week of data has new examples."""
    if isinstance(value, list):
        return [_essence(item) for item in value]
    if isinstance(value, Mapping):
        return {key: item for key, item in value.items() if key not in _DESCRIPTION}
    return value


def _feature_code(manifest: Mapping[str, Any]) -> Any:
    return (manifest.get("files") or {}).get("features.py")
