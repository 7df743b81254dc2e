"""The pictures of a roll-out's page: who answered how much, and how sure it was that the new version is worse."""

from collections.abc import Mapping, Sequence
from typing import Any

from vitok.report.page_charts import ACCENT, BAD, SECOND, Spec, finished, values

_TOP, _MOST = 1.15, 1.1  # of the axis of evidence, where 1 is the boundary; and what is drawn on it
_COLOURS = ("var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)", "var(--c5)", "var(--grey)")
_DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3])
_X = {"field": "time", "type": "temporal", "title": None}
_WHEN = {"field": "time", "type": "temporal", "format": "%Y-%m-%d %H:%M"}


def shares_chart(shares: Sequence[Mapping[str, Any]], until: str, new: str, old: str) -> Spec | None:
    """The share of each version through time, as steps.

    Args:
        shares: `time` and `share` of the new version from then on, oldest first.
        until: Where the picture ends.
        new, old: What the versions are called.
    """
    if not shares:
        return None
    held = [*shares, {"time": until, "share": shares[-1]["share"]}]
    rows = [{"time": each["time"], "share": each["share"], "name": new} for each in held]
    rows += [{"time": each["time"], "share": 1 - each["share"], "name": old} for each in held]
    names = [new, old]
    line = {
        "data": values(rows),
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2.5},
        "encoding": {
            "x": _X,
            "y": {
                "field": "share",
                "type": "quantitative",
                "title": None,
                "scale": {"domain": [0, 1]},
                "axis": {"format": ".0%", "values": [0, 0.25, 0.5, 0.75, 1]},
            },
            **_series(names, (ACCENT, SECOND)),
            "tooltip": [_WHEN, {"field": "name"}, {"field": "share", "format": ".0%"}],
        },
    }
    return finished([line], height=150)


def evidence_chart(path: Sequence[Mapping[str, Any]], since: str, until: str) -> Spec | None:
    """The evidence of each limit as a share of what it takes to roll back, which is the line at 1.

    Args:
        path: `time`, `guard`, `evidence` (log E, None for beyond all bounds) and its `boundary`.
        since, until: Where the picture begins and ends.
    """
    if not path:
        return None
    names = list(dict.fromkeys(each["guard"] for each in path))
    rows = [{"time": each["time"], "name": each["guard"], "sure": sureness(each)} for each in path]
    series = _series(names, _COLOURS)
    axis = {"values": [0, 0.5, 1], "format": ".0%"}
    y = {
        "field": "sure",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [0, _TOP], "nice": False},
        "axis": axis,
    }
    boundary = {
        "data": {"values": [{"sure": 1}]},
        "mark": {"type": "rule", "color": BAD, "strokeWidth": 2},
        "encoding": {"y": y},
    }
    encoding = {"x": {**_X, "scale": {"domain": [since, until]}}, "y": y}
    line = {
        "data": values(rows),
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {**encoding, **series},
    }
    points = {
        "data": values(rows),
        "mark": {"type": "point", "filled": True, "size": 22, "opacity": 1},
        "encoding": {
            **encoding,
            "color": series["color"],
            "tooltip": [_WHEN, {"field": "name"}, {"field": "sure", "format": ".0%"}],
        },
    }
    return finished([boundary, line, points], height=200)


def sureness(point: Mapping[str, Any]) -> float:
    """Evidence as a share of its boundary, cut to what the picture can show.

    >>> sureness({"evidence": 2.0, "boundary": 4.0}), sureness({"evidence": None, "boundary": 4.0})
    (0.5, 1.1)
    >>> sureness({"evidence": -3.0, "boundary": 4.0})
    0.0
    """
    if point["evidence"] is None:
        return _MOST
    return float(min(max(point["evidence"] / point["boundary"], 0.0), _MOST))


def _series(names: Sequence[str], colours: Sequence[str]) -> dict[str, Any]:
    """Colour and dash of each name: told apart by shape as well as by colour."""
    chosen = [colours[place % len(colours)] for place in range(len(names))]
    dashes = [_DASHES[place % len(_DASHES)] for place in range(len(names))]
    field = {"field": "name", "type": "nominal", "legend": {"symbolType": "stroke", "title": None}}
    return {
        "color": {**field, "scale": {"domain": list(names), "range": chosen}},
        "strokeDash": {**field, "scale": {"domain": list(names), "range": dashes}},
    }
