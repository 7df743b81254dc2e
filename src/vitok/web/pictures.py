"""Pictures in the reader's language: the words that a specification shows, and how it writes days."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from vitok.web.language import marked as _

WORDS = frozenset(
    {
        _("labelled"),
        _("without label"),
        _("missing"),
        _("below"),
        _("above"),
        _("release"),
        _("rollback"),
        _("refused"),
        _("alert"),
        _("incident"),
        _("from"),
        _("start"),
        _("time"),
        _("month"),
        _("value"),
        _("lower bound"),
        _("upper bound"),
        _("kind"),
        _("about"),
        _("earned"),
        _("total"),
        _("segment"),
        _("rows"),
        _("count"),
        _("column"),
        _("policy"),
        _("bin"),
        _("then"),
        _("now"),
        _("name"),
        _("share"),
        _("evidence"),
    }
)
_SHOWN = frozenset({"kind", "bin", "name"})  # fields of rows whose values are words
_DAYS = {"year": "%Y", "quarter": "%b", "month": "%b", "week": "%-d %b", "date": "%-d %b", "hours": "%H:%M"}
_VERSION = re.compile(r"version (\d+)")
_RANGE = re.compile(r"(-?[\d.]\S*) to (-?[\d.]\S*)")


def spoken(spec: Any, translate: Callable[[str], str]) -> Any:
    """A copy of a Vega-Lite specification whose words are translated; names of the project stay.

    Args:
        translate: Gives a text in the reader's language.

    >>> spoken({"tooltip": [{"field": "feature"}], "title": "roc_auc"}, str.upper)
    {'tooltip': [{'field': 'feature', 'title': 'COLUMN'}], 'title': 'roc_auc'}
    """

    def word(text: Any) -> Any:
        if isinstance(text, str) and (found := _RANGE.fullmatch(text)):
            return f"{found[1]} – {found[2]}"
        if isinstance(text, str) and (found := _VERSION.fullmatch(text)):
            return translate("version %(version)s") % {"version": found[1]}
        return translate(text) if isinstance(text, str) and text in WORDS else text

    def row_said(row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: word(each) if name in _SHOWN else each for name, each in row.items()}

    def walk(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: part(name, each) for name, each in _titled(value).items()}
        return [walk(each) for each in value] if isinstance(value, list) else value

    def part(name: str, value: Any) -> Any:
        if name == "values" and isinstance(value, list):
            return [row_said(each) if isinstance(each, Mapping) else each for each in value]
        if name == "domain" and isinstance(value, list):
            return [word(each) for each in value]
        if name == "tooltip" and isinstance(value, list):
            return [each | {"title": word(each.get("title") or _name(each))} for each in value]
        return word(value) if name == "title" else walk(value)

    return walk(spec)


def _name(tip: Mapping[str, Any]) -> str:
    names = {"feature": "column", "low": "lower bound", "high": "upper bound", "sure": "evidence"}
    return names.get(tip["field"], str(tip["field"]))


def _titled(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """An axis of time says the day before the month, as pages do."""
    if value.get("type") == "temporal" and "timeUnit" not in value and value.get("title", "") is None:
        return {**value, "axis": {"format": _DAYS, **value.get("axis", {})}}
    return value
