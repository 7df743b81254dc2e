"""How risky it is to put one bundle in another's place."""

from collections.abc import Mapping
from typing import Any, Literal

Risk = Literal["low", "medium", "high"]

_HIGH = ("task", "target", "algorithm", "classes", "positive")
_MEDIUM = ("features", "inputs", "parameters", "feature_function")
_DESCRIPTION = ("example", "levels", "integer")


def risk_class(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Risk:
    """The risk class of a release.

    Args:
        old: Manifest of the version in production as a mapping, None for the first release.
        new: Manifest of the version to release.

    Returns:
        `high` for the first release or another task, target or algorithm; `medium` for other features,
        feature code or parameters; else `low`.

    >>> risk_class(None, {"algorithm": "linear"})
    'high'
    >>> risk_class({"parameters": {"C": 1}}, {"parameters": {"C": 2}})
    'medium'
    """
    if old is None or any(old.get(key) != new.get(key) for key in _HIGH):
        return "high"
    if any(_essence(old.get(key)) != _essence(new.get(key)) for key in _MEDIUM):
        return "medium"
    if _feature_code(old) != _feature_code(new):
        return "medium"
    return "low"


def _essence(value: Any) -> Any:
    """Fields without what only describes the training rows: a new week of data has new examples."""
    if isinstance(value, list):
        return [_essence(item) for item in value]
    if isinstance(value, Mapping):
        return {key: item for key, item in value.items() if key not in _DESCRIPTION}
    return value


def _feature_code(manifest: Mapping[str, Any]) -> Any:
    return (manifest.get("files") or {}).get("features.py")
