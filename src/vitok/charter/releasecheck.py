"""Contradictions in how a version is to reach users."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from vitok.charter.expressions import Comparison
from vitok.charter.problems import Problem
from vitok.charter.releasing import Guard
from vitok.kernel.clock import format_duration

if TYPE_CHECKING:
    from vitok.charter.load import Document

_OUTCOMES = ("quality", "profit", "conversion")
_GRADUAL = ("shadow", "canary", "pilot")


def release_contradictions(document: "Document") -> Iterator[Problem]:
    """All of them."""
    yield from _margins(document)
    yield from _needs(document)
    yield from _outcomes(document)
    yield from _durations(document)


def _margins(document: "Document") -> Iterator[Problem]:
    guard = document.charter.release.guard
    if guard.quality is None:
        return
    for gate, text in zip(document.rules.gates, document.charter.accept, strict=True):
        if isinstance(gate, Comparison) and gate.bound.reference == "champion" and gate.part is None:
            margin = abs(gate.bound.offset)
            if guard.quality > margin:
                what = f"the guard tolerates a loss of {guard.quality:g} in production that the gate `{text}` refuses"
                where = document.place(("release", "guard", "quality"))
                yield Problem(where, what, f"Write at most {margin:g}, or widen the gate.", "warning")


def _needs(document: "Document") -> Iterator[Problem]:
    charter = document.charter
    release, costs = charter.release, charter.decide.costs
    guard = release.guard
    if guard.profit is not None and costs is None:
        where = document.place(("release", "guard", "profit"))
        yield Problem(where, "money is compared, but decide.costs is not given", "Give the costs.", "error")
    if release.strategy == "ab" and release.ab.primary == "profit" and costs is None:
        where = document.place(("release", "ab", "primary"))
        yield Problem(where, "money is compared, but decide.costs is not given", "Give the costs.", "error")
    if release.strategy in _GRADUAL and all(each is None for each in _limits(guard)):
        where = document.place(("release", "guard"))
        yield Problem(where, "without any limit no version is ever promoted", "Give errors: 1.5x.", "error")
    converts = {("guard", "conversion"): guard.conversion is not None}
    converts[("ab", "primary")] = release.ab.primary == "conversion"
    for path in [path for path, is_set in converts.items() if is_set and charter.task.type != "binary"]:
        what = f"outcomes of a {charter.task.type} task are not positive or negative"
        yield Problem(document.place(("release", *path)), what, "Take quality.", "error")
    if release.strategy == "pilot" and release.pilot is None:
        where = document.place(("release", "strategy"))
        yield Problem(where, "a pilot needs the rows that it begins with", "Write release.pilot.", "error")
    if release.strategy == "flag" and not release.flags:
        where = document.place(("release", "strategy"))
        yield Problem(where, "there is no flag", "Name a segment under release.flags.", "error")
    if charter.task.time is None and (guard.quality is not None or guard.profit is not None):
        where = document.place(("release", "guard"))
        what = "outcomes decide, but task.time is not given: the time of the request stands for it"
        yield Problem(where, what, "Name the column with the moment of the decision.", "warning")


def _limits(guard: Guard) -> list[object]:
    """All limits, None for those that are not set."""
    return [getattr(guard, name) for name in Guard.model_fields if name != "negligible"]


def _outcomes(document: "Document") -> Iterator[Problem]:
    release = document.charter.release
    guard = release.guard
    late = [name for name in _OUTCOMES if getattr(guard, name) is not None]
    if release.strategy == "blue-green" and late:
        where = document.place(("release", "guard", late[0]))
        what = (
            f"blue-green leaves no other version whose outcomes could be compared: {late[0]} is never decided"
        )
        yield Problem(where, what, "Leave it out, or choose canary.", "error")
    if release.strategy == "shadow" and guard.conversion is not None:
        where = document.place(("release", "guard", "conversion"))
        what = "a shadow answers nobody: it cannot change how many outcomes are positive"
        yield Problem(where, what, "Leave it out, or choose canary.", "error")


def _durations(document: "Document") -> Iterator[Problem]:
    charter = document.charter
    release, delay = charter.release, charter.task.label_delay or timedelta()
    if release.strategy not in _GRADUAL:
        return
    longest = timedelta(hours=release.max_hours)
    steps = len(release.shares) * release.step + (release.shadow or timedelta())
    if steps >= longest and release.strategy != "shadow":
        where = document.place(("release", "step"))
        what = f"the steps alone take {format_duration(steps)}: the time is over before a decision"
        yield Problem(where, what, "Raise max_hours, or shorten release.step.", "error")
    late = [name for name in _OUTCOMES if getattr(release.guard, name) is not None]
    if late and delay >= longest:
        where = document.place(("release", "guard", late[0]))
        what = f"labels come after {format_duration(delay)}, the roll-out ends before: {late[0]} is never decided"
        yield Problem(where, what, "Raise max_hours beyond the label delay.", "error")
