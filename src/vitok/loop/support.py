"""What this version of Vitok needs of a charter before a turn starts."""

from vitok.charter.review import review
from vitok.errors import CharterMistake
from vitok.loop.project import Project
from vitok.stats.catalogue import METRICS
from vitok.train.candidates import CANDIDATES
from vitok.train.fit import TUNABLE


def require_supported(project: Project) -> None:
    """Checks what only a turn needs of the charter.

    Raises:
        CharterMistake: it contradicts itself, or a candidate or an objective is not known to this version.
    """
    for problem in review(project.document):
        if problem.severity == "error":
            raise CharterMistake(problem.where, problem.what, problem.remedy)
        if problem.severity == "warning":
            project.say(f"warning: {problem.where}: {problem.what}. {problem.remedy}")
    require_known_names(project)


def own_code_left_out(candidates: list[str]) -> list[str]:
    """The candidates without code of the user's own, such as `my_models.py:net`; `check` says that it comes later."""
    return [name for name in candidates if ":" not in name]


def require_known_names(project: Project) -> None:
    """Checks that this version knows the candidates and the objective.

    Raises:
        CharterMistake: it does not.
    """
    charter, place = project.charter, project.document.place
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
