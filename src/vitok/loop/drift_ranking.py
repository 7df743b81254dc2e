"""What moved, in the order in which it matters: each column with its distances, and since when it has been off."""

from collections.abc import Mapping, Sequence
from typing import Any

from vitok.kernel.clock import format_time
from vitok.monitor.drift import SCORE, DriftFinding
from vitok.stats.profiles import CategoryProfile, Column, Profile
from vitok.stats.shifts import Shift, shift_intervals, shift_of

_LATELY = 28  # windows
_NOT_JUDGED: dict[str, Any] = {"since": None, "moved_windows": 0, "judged_windows": 0}
_MEASURES = ("psi", "ks", "js", "kl", "hellinger", "wasserstein")


def ranked(
    findings: Sequence[DriftFinding],
    then: Profile,
    now: Profile,
    importance: Mapping[str, float],
    past: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """The score first, then the features by drift times importance, or by drift where nobody knows the importance.

    Args:
        findings: Of the columns.
        then, now: Profiles that they were made from.
        importance: What the main metric loses without an input, where that is known.
        past: Windows of the version as they were judged, oldest first.
    """
    since, lines = moved_since(past), []
    for each in findings:
        known, figures = (
            importance.get(each.column),
            _figures(then.columns[each.column], now.columns[each.column]),
        )
        line = {
            "feature": each.column,
            "importance": known,
            "weight": None if known is None else max(0.0, known) * (each.psi or 0.0),
            **figures,
            **_judged(each),
            **since.get(each.column, _NOT_JUDGED),
        }
        lines.append(line)
    return sorted(lines, key=_place)


def _place(line: Mapping[str, Any]) -> tuple[bool, float, float, str]:
    drift = line["psi"]["value"] if line["psi"] else 0.0
    return line["feature"] != SCORE, -(line["weight"] or 0.0), -drift, line["feature"]


def _figures(then: Column, now: Column) -> dict[str, Any]:
    """Each distance with its 90 % interval, and the p-value; None where there are too few values."""
    shift = shift_of(then, now)
    if shift is None:
        return {**dict.fromkeys(_MEASURES), "chi_square_p": None}
    intervals = shift_intervals(then, now)
    found: dict[str, Any] = {name: _figure(name, shift, intervals) for name in _MEASURES}
    return {**found, "chi_square_p": shift.p_value}


def _figure(name: str, shift: Shift, intervals: Mapping[str, tuple[float, float]]) -> dict[str, float] | None:
    value = getattr(shift, name)
    if value is None:
        return None
    low, high = intervals[name]
    return {"value": value, "low": low, "high": high}


def _judged(finding: DriftFinding) -> dict[str, Any]:
    known = finding.psi is not None and finding.usual is not None
    return {
        "missing_then": finding.missing_then,
        "missing_now": finding.missing_now,
        "unseen_now": finding.unseen_now,
        "usual": finding.usual,
        "beyond_usual": (finding.psi or 0.0) > (finding.usual or 0.0) if known else None,
        "status": finding.status,
        "moved": finding.moved,
        "sentence": finding.sentence,
    }


def unseen_share(column: Column) -> float | None:
    """Share of the values whose level the reference lacks; None of numbers."""
    if not isinstance(column, CategoryProfile):
        return None
    return column.unseen / max(1, column.rows - column.missing)


def moved_since(past: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Since when each column has been off the reference without a break, and in how many of the last 28 windows.

    Windows with too few rows to tell break nothing.

    Args:
        past: Windows as they were judged, oldest first.
    """
    found: dict[str, list[tuple[Any, bool]]] = {}
    for window in past:
        for each in window["drift"]:
            if each["status"] != "undecidable":
                found.setdefault(each["column"], []).append((window["start"], each["status"] == "moved"))
    result = {}
    for name, windows in found.items():
        calm = [place for place, (_, moved) in enumerate(windows) if not moved]
        first = calm[-1] + 1 if calm else 0
        lately = [moved for _, moved in windows[-_LATELY:]]
        result[name] = {
            "since": format_time(windows[first][0]) if first < len(windows) else None,
            "moved_windows": sum(lately),
            "judged_windows": len(lately),
        }
    return result
