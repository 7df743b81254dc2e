"""Reviewing a charter without looking at data: keys without effect yet, and what contradicts itself."""

from collections.abc import Iterator

from pydantic import BaseModel

from vitok.charter.contradictions import contradictions
from vitok.charter.load import Document
from vitok.charter.model import Charter
from vitok.charter.problems import Problem
from vitok.charter.section import Later, Path, key_of
from vitok.charter.standard_risks import missing_risks
from vitok.stats.catalogue import PRIMARY


def review(document: Document) -> list[Problem]:
    """All remarks on a charter that parsed."""
    return [*_later(document), *_not_yet(document), *contradictions(document), *missing_risks(document)]


def _later(document: Document) -> Iterator[Problem]:
    """A note for each key that the charter sets and whose effect comes later."""
    for path, later in _marked(document.charter, ()):
        if path in document.positions:
            what = f"has no effect in this version: {later.until}"
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
            yield (*path, key_of(type(section), name)), marks[0]
        elif isinstance(value, BaseModel):
            yield from _marked(value, (*path, key_of(type(section), name)))


def _not_yet(document: Document) -> Iterator[Problem]:
    charter = document.charter
    for risk in ("low", "medium", "high"):
        if getattr(charter.approve, risk) != "auto":
            what = f"approvals cannot be collected in this version: releases of class {risk} are refused"
            yield Problem(document.place(("approve", risk)), what, "Write auto, or wait.", "warning")
    for index, candidate in enumerate(charter.train.candidates):
        if ":" in candidate:
            what = f"candidate {candidate!r} has no effect in this version: code of your own is left out"
            yield Problem(document.place(("train", "candidates", index)), what, "Nothing to do.", "note")
    for index, objective in enumerate(charter.train.tune.objectives):
        if index:
            what = f"objective {objective!r} has no effect in this version: only the first is tuned for"
            yield Problem(
                document.place(("train", "tune", "objectives", index)), what, "Nothing to do.", "note"
            )


def main_metric(charter: Charter) -> str:
    """The metric that candidates are ranked by, and whose fall raises an alarm."""
    objectives = charter.train.tune.objectives
    return objectives[0] if objectives else PRIMARY[charter.task.type]
