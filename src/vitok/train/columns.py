"""Which columns can be features, and of what kind."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

FeatureKind = Literal["number", "boolean", "category"]

_MAX_LEVELS = 1000
_MAX_UNIQUE_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Columns:
    """Features by name, and the columns that were left out with the reason.

    Args:
        kinds: Kind of each feature.
        left_out: Reason for each column that is no feature.
    """

    kinds: dict[str, FeatureKind]
    left_out: dict[str, str]


def choose_features(frame: pl.DataFrame) -> Columns:
    """Chooses features among columns by their type and content; looks at training rows only.

    Args:
        frame: Candidate columns of the training rows.
    """
    kinds: dict[str, FeatureKind] = {}
    left_out: dict[str, str] = {}
    for series in frame:
        kind = _kind(series)
        reason = (
            "is a time; derive numbers from it in the feature function"
            if kind is None
            else _useless(series, kind)
        )
        if kind is None or reason:
            left_out[series.name] = reason or ""
        else:
            kinds[series.name] = kind
    return Columns(kinds, left_out)


def _kind(series: pl.Series) -> FeatureKind | None:
    if series.dtype == pl.Boolean:
        return "boolean"
    if series.dtype.is_numeric():
        return "number"
    return "category" if series.dtype == pl.String else None


def _useless(series: pl.Series, kind: FeatureKind) -> str | None:
    distinct = series.drop_nulls().n_unique()
    if distinct == 0:
        return "is empty"
    if distinct == 1 and series.null_count() == 0:
        return "is constant"
    if kind == "category" and distinct > 20 and distinct > min(_MAX_LEVELS, _MAX_UNIQUE_SHARE * len(series)):
        return f"has {distinct} distinct texts: an id or free text"
    return None
