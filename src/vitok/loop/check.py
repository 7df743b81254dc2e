"""`vitok check`: everything about a project that would stop a turn or surprise its owner."""

from collections.abc import Iterator
from typing import Any

from vitok.charter.expressions import Comparison, parse_expression
from vitok.charter.power import undecidable_gates
from vitok.charter.problems import Problem
from vitok.charter.review import review
from vitok.errors import VitokError
from vitok.loop.prepare import prepare
from vitok.loop.project import Project
from vitok.loop.turn import require_known_names
from vitok.stats.power import TestSize


def check_project(project: Project) -> dict[str, Any]:
    """Reviews charter and data; the object that `vitok check --json` prints. Keeps and trains nothing."""
    problems = [*review(project.document), *_what_a_turn_needs(project)]
    order = {"error": 0, "warning": 1, "note": 2}
    problems.sort(key=lambda problem: order[problem.severity])
    return report(problems)


def report(problems: list[Problem]) -> dict[str, Any]:
    """Problems as the verb's object."""
    ok = all(problem.severity != "error" for problem in problems)
    return {"ok": ok, "problems": [problem.as_json() for problem in problems]}


def error_problem(error: VitokError) -> Problem:
    """An error as a problem that stops a turn."""
    return Problem(error.place, error.what, error.remedy, "error")


def _what_a_turn_needs(project: Project) -> Iterator[Problem]:
    try:
        require_known_names(project)
    except VitokError as error:
        yield error_problem(error)
    try:
        prepared = prepare(project, project.clock(), keep=False)
    except VitokError as error:
        yield error_problem(error)
        return
    for warning in prepared.parts.warnings:
        yield Problem("data.split", warning, "Give more rows, or a larger test share.", "warning")
    if prepared.classes.task != "regression":
        truth = prepared.truth[prepared.parts.test]
        size = TestSize(len(truth), int((truth == len(prepared.classes.values) - 1).sum()))
        yield from undecidable_gates(project.document, size)
    for name, reason in prepared.columns.left_out.items():
        if name == project.charter.task.time:
            continue  # what the feature function derives from it is a feature
        yield Problem(
            f"column {name}", f"{reason}: not a feature", "Add it to data.exclude to silence this.", "note"
        )
    for name, count in prepared.snapshot.lost_cells.items():
        yield Problem(
            f"column {name}",
            f"{count} cells do not read as its type and count as missing",
            "Mend the source.",
            "warning",
        )
    for index, text in enumerate(project.charter.accept):
        gate = parse_expression(text)
        if (
            isinstance(gate, Comparison)
            and gate.slice
            and gate.slice.column not in prepared.snapshot.frame.columns
        ):
            place = project.document.place(("accept", index))
            yield Problem(
                place,
                f"the data has no column {gate.slice.column!r}: this gate can never pass",
                "Name a column of the data.",
                "error",
            )
