"""The charter alone: read from its file, reviewed, and held against what this version of Vitok knows.

Nothing here loads tables or a database, so that a review of the charter takes a fraction of a second.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vitok.charter.load import Document, load_charter
from vitok.charter.problems import Problem
from vitok.charter.review import review
from vitok.errors import CharterMistake, DataMistake, NotFound, VitokError
from vitok.stats.catalogue import METRICS
from vitok.train.candidates import CANDIDATES, TUNABLE

CHARTER = "vitok.yaml"


def read_document(folder: Path) -> Document:
    """Reads a project's charter.

    Raises:
        NotFound: the folder holds no project.
        CharterMistake: the charter does not parse.
    """
    path = folder / CHARTER
    if not path.is_file():
        raise NotFound(
            str(folder), f"there is no {CHARTER}", "Start one with `vitok init`, or give --project DIR."
        )
    try:
        return load_charter(path.read_text(encoding="utf-8"), CHARTER)
    except UnicodeDecodeError as error:
        raise DataMistake(
            str(path), f"is no UTF-8 text: {error.reason} at byte {error.start}", "Save it as UTF-8."
        ) from error


def review_charter(document: Document) -> list[Problem]:
    """All remarks on a charter that need no look at data or past turns."""
    problems = review(document)
    try:
        require_known_names(document)
    except VitokError as error:
        problems.append(error_problem(error))
    return problems


def report(problems: list[Problem]) -> dict[str, Any]:
    """Problems, the worst first, as the object that `vitok check --json` prints."""
    order = {"error": 0, "warning": 1, "note": 2}
    ranked = sorted(problems, key=lambda problem: order[problem.severity])
    ok = all(problem.severity != "error" for problem in ranked)
    return {"ok": ok, "problems": [problem.as_json() for problem in ranked]}


def error_problem(error: VitokError) -> Problem:
    """An error as a problem that stops a turn."""
    return Problem(error.place, error.what, error.remedy, "error")


def require_supported(document: Document, say: Callable[[str], None]) -> None:
    """Checks what only a turn needs of the charter.

    Args:
        say: Takes the warnings.

    Raises:
        CharterMistake: it contradicts itself, or a candidate or an objective is not known to this version.
    """
    for problem in review(document):
        if problem.severity == "error":
            raise CharterMistake(problem.where, problem.what, problem.remedy)
        if problem.severity == "warning":
            say(f"warning: {problem.where}: {problem.what}. {problem.remedy}")
    require_known_names(document)


def own_code_left_out(candidates: list[str]) -> list[str]:
    """The candidates without code of the user's own, such as `my_models.py:net`; `check` says that it comes later."""
    return [name for name in candidates if ":" not in name]


def require_known_names(document: Document) -> None:
    """Checks that this version knows the candidates and the objective.

    Raises:
        CharterMistake: it does not.
    """
    charter, place = document.charter, document.place
    known_candidates = [
        name for name in CANDIDATES if name != "logistic" or charter.task.type != "regression"
    ]
    if not own_code_left_out(charter.train.candidates):
        raise CharterMistake(
            place(("train", "candidates")),
            "names only code of your own, which comes later",
            "Add linear or lightgbm.",
        )
    for index, name in enumerate(charter.train.candidates):
        if ":" not in name and name not in known_candidates:
            raise CharterMistake(
                place(("train", "candidates", index)),
                f"candidate {name!r} is not known for a {charter.task.type} task",
                f"Known: {', '.join(known_candidates)}.",
            )
    for index, objective in enumerate(charter.train.tune.objectives[:1]):
        if objective not in TUNABLE or charter.task.type not in METRICS[objective].tasks:
            known = [name for name in TUNABLE if charter.task.type in METRICS[name].tasks]
            raise CharterMistake(
                place(("train", "tune", "objectives", index)),
                f"{objective!r} cannot be tuned for",
                f"Known: {', '.join(known)}.",
            )
