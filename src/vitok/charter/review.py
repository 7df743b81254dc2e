"""Reviewing a charter without looking at data: keys without effect yet, and what contradicts itself."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import BaseModel

from vitok.charter.load import Document, Path, dotted
from vitok.charter.model import Charter, Later
from vitok.stats.catalogue import PRIMARY

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One remark of a review.

    Args:
        where: File, line, column and key; or a column of the data.
        what: What is wrong.
        remedy: What to do.
        severity: `error` stops a turn; `warning` will surprise; `note` is good to know.
    """

    where: str
    what: str
    remedy: str
    severity: Severity

    def as_json(self) -> dict[str, Any]:
        """The problem as JSON values."""
        return asdict(self)


def review(document: Document) -> list[Problem]:
    """All remarks on a charter that parsed."""
    return [*_later(document), *_not_yet(document), *_contradictions(document)]


def _later(document: Document) -> Iterator[Problem]:
    """A note for each key that the charter sets and whose effect comes later."""
    for path, later in _marked(document.charter, ()):
        if path in document.positions:
            what = f"{dotted(path)} has no effect in this version: {later.until}"
            yield Problem(
                document.place(path),
                what,
                "Nothing to do; it is kept for the version that brings it.",
                "note",
            )


def _marked(section: BaseModel, path: Path) -> Iterator[tuple[Path, Later]]:
    for name, field in type(section).model_fields.items():
        marks = [mark for mark in field.metadata if isinstance(mark, Later)]
        value = getattr(section, name)
        if marks and value not in (None, [], {}):
            yield (*path, name), marks[0]
        elif isinstance(value, BaseModel):
            yield from _marked(value, (*path, name))


def _not_yet(document: Document) -> Iterator[Problem]:
    charter = document.charter
    if charter.release.strategy != "immediate":
        what = (
            f"strategy {charter.release.strategy!r} is not available in this "
            "version: `vitok release` refuses it"
        )
        yield Problem(document.place(("release", "strategy")), what, "Write immediate.", "warning")
    for risk in ("low", "medium", "high"):
        if getattr(charter.approve, risk) != "auto":
            what = f"approvals cannot be collected in this version: releases of class {risk} are refused"
            yield Problem(document.place(("approve", risk)), what, "Write auto, or wait.", "warning")
    for index, objective in enumerate(charter.train.tune.objectives):
        if index:
            what = f"objective {objective!r} has no effect in this version: only the first is tuned for"
            yield Problem(
                document.place(("train", "tune", "objectives", index)), what, "Nothing to do.", "note"
            )


def _contradictions(document: Document) -> Iterator[Problem]:
    charter, task = document.charter, document.charter.task
    if charter.data.split.by == "time" and task.time is None:
        yield Problem(
            document.place(("data", "split", "by")),
            "a split by time needs task.time",
            "Name the time column.",
            "error",
        )
    if task.label_time is not None and task.time is None:
        yield Problem(
            document.place(("task", "label_time")),
            "a label time needs task.time",
            "Name the time column.",
            "error",
        )
    if task.label_time is not None and task.label_delay is None:
        what = (
            "without task.label_delay a window counts as final the moment it "
            "ends, before its labels have come"
        )
        yield Problem(
            document.place(("task", "label_time")), what, "State how long labels take, such as 8h.", "warning"
        )
    if task.id is None:
        what = "without task.id outcomes can only be joined by the ids that Vitok makes up and returns"
        yield Problem(document.place(("task",)), what, "Name a column that identifies a row.", "note")
    for name in (task.target, task.id, task.time, task.label_time):
        if name is not None and name in charter.data.exclude:
            what = f"{name!r} is excluded, and named under task; it is no feature in any case"
            yield Problem(document.place(("data", "exclude")), what, "Remove it from data.exclude.", "note")
    costs = charter.decide.costs
    if costs is not None and (costs.tn - costs.fp <= 0 or costs.tp - costs.fn <= 0):
        what = "by these costs a wrong decision earns as much as the right one: no threshold makes sense"
        yield Problem(
            document.place(("decide", "costs")),
            what,
            "Make tp larger than fn, and tn larger than fp.",
            "error",
        )


def main_metric(charter: Charter) -> str:
    """The metric that candidates are ranked by, and whose fall raises an alarm."""
    objectives = charter.train.tune.objectives
    return objectives[0] if objectives else PRIMARY[charter.task.type]
