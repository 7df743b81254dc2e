"""Reviewing a charter without looking at data: what this version cannot do yet, and what contradicts itself."""

from collections.abc import Iterator

from vitok.charter.contradictions import contradictions
from vitok.charter.load import Document
from vitok.charter.model import Charter
from vitok.charter.problems import Problem
from vitok.charter.standard_risks import missing_risks
from vitok.stats.catalogue import PRIMARY


def review(document: Document) -> list[Problem]:
    """All remarks on a charter that parsed."""
    return [*_not_yet(document), *contradictions(document), *missing_risks(document)]


def _not_yet(document: Document) -> Iterator[Problem]:
    charter = document.charter
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
