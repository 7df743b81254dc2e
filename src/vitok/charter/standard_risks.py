"""Risks that the field considers standard for a kind of project, and those that a register leaves out."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from vitok.charter.load import Document
from vitok.charter.model import Charter
from vitok.charter.problems import Problem

_SLOW_LABELS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StandardRisk:
    """A risk that a project of some kind should have thought of.

    Args:
        what: In words.
        kind: `technical`, `business` or `resource`.
        applies: Whether a charter is of the kind.
        words: A risk that mentions one of them covers it.
        watchers: A risk that is watched by one of these alerts covers it.
        watched_by: What to propose; a column stands as COLUMN.
    """

    what: str
    kind: str
    applies: Callable[[Charter], bool]
    words: str
    watchers: tuple[str, ...] = ()
    watched_by: str | None = None


def _always(charter: Charter) -> bool:
    return True


STANDARD: tuple[StandardRisk, ...] = (
    StandardRisk(
        "a source of the data fails or changes its meaning",
        "technical",
        _always,
        r"feed|source|missing|pipeline|sensor|upstream|schema|data quality|outage",
        ("alert(missing",),
        "alert(drift)",
    ),
    StandardRisk(
        "the world changes and the model does not",
        "technical",
        _always,
        r"drift|season|pattern|chang|shift|stale|behaviou?r",
        ("alert(drift", "alert(quality"),
        "alert(quality)",
    ),
    StandardRisk(
        "labels come late, wrong, or never, so that a bad model goes unseen",
        "technical",
        lambda charter: charter.task.label_delay is not None and charter.task.label_delay >= _SLOW_LABELS,
        r"label|outcome|ground truth|annotat",
        ("alert(quality",),
        "alert(quality)",
    ),
    StandardRisk(
        "decisions change what is observed, and the model learns from its own doing",
        "technical",
        lambda charter: charter.decide.costs is not None and bool(charter.retrain.on),
        r"feedback|own doing|own decision|self-|selection|loop|hold-?out",
    ),
    StandardRisk(
        "personal data is used or kept against the law",
        "business",
        lambda charter: bool(charter.data.personal or charter.scope.regulation),
        r"privacy|personal|gdpr|hipaa|law|legal|complian|regulat|consent",
    ),
    StandardRisk(
        "one group of people is treated worse than another",
        "business",
        lambda charter: bool(charter.data.personal) and charter.decide.costs is not None,
        r"fair|bias|discriminat|group|minorit|equal",
    ),
    StandardRisk(
        "the model is right and nobody acts on it",
        "business",
        _always,
        r"nobody|adopt|trust|ignor|act on|use it|usage|integrat|value|culture|process",
    ),
    StandardRisk(
        "the few people who know the project are gone or busy",
        "resource",
        _always,
        r"people|person|staff|team|leave|knowledge|budget|capacity|time of|expert",
    ),
)


def uncovered(charter: Charter) -> list[StandardRisk]:
    """The standard risks of such a project that its register says nothing about."""
    return [risk for risk in STANDARD if risk.applies(charter) and not _is_covered(risk, charter)]


def missing_risks(document: Document) -> Iterator[Problem]:
    """A note on each standard risk that the register says nothing about; on an empty one a single warning."""
    charter = document.charter
    missing = uncovered(charter)
    if not charter.risks:
        what = f"no risk is registered; projects of this kind know {len(missing)}: " + "; ".join(
            risk.what for risk in missing
        )
        yield Problem(document.place(("risks",)), what, f"Begin with - {_line(missing[0])}", "note")
        return
    for risk in missing:
        what = f"the register says nothing about a standard risk: {risk.what}"
        remedy = f"Add - {_line(risk)}, or with status: accepted if you live with it."
        yield Problem(document.place(("risks",)), what, remedy, "note")


def _is_covered(risk: StandardRisk, charter: Charter) -> bool:
    for each in charter.risks:
        said = f"{each.what} {each.mitigation or ''}"
        watcher = (each.watched_by or "").replace(" ", "")
        if re.search(risk.words, said, re.IGNORECASE) or watcher.startswith(risk.watchers or ("-",)):
            return True
    return False


def _line(risk: StandardRisk) -> str:
    watched = f", watched_by: {risk.watched_by}" if risk.watched_by else ""
    return f"{{id: R1, what: {risk.what.split(',')[0]}, kind: {risk.kind}, likelihood: medium, impact: high{watched}}}"
