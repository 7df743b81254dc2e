"""How ready a system is for production: the ML Test Score, and levels of automation."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

_WORDS = (
    (0, "more of a research project than a productionised system"),
    (1, "not totally untested, but serious holes are likely"),
    (2, "a first pass at basic productionisation"),
    (3, "reasonably tested, more could be automated"),
    (5, "strong automated testing and monitoring, fit for critical systems"),
)
_BEYOND = "exceptional automated testing and monitoring"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a project shows of one test.

    Args:
        points: 1 if it is done by the system itself, 1/2 if by hand and on record, else 0.
        evidence: By what that is known.
        remedy: The next step; empty with a whole point.
    """

    points: float
    evidence: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """The proof as JSON values."""
        return asdict(self)


def test_score(sections: Mapping[str, Mapping[str, Proof]]) -> float:
    """The ML Test Score (Breck et al., IEEE Big Data 2017): the points of the weakest section, 7 at most.

    >>> test_score({"data": {"schema": Proof(1, "")}, "model": {"tuned": Proof(0.5, "")}})
    0.5
    """
    return min(sum(proof.points for proof in tests.values()) for tests in sections.values())


def meaning_of(score: float) -> str:
    """What the authors of the score say that it means."""
    return next((words for limit, words in _WORDS if score <= limit), _BEYOND)


@dataclass(frozen=True, slots=True)
class Step:
    """What a level of automation needs.

    Args:
        what: In a few words.
        proof: Whether the project has it.
    """

    what: str
    proof: Proof


def level_of(levels: Sequence[Sequence[Step]]) -> int:
    """The highest level of which every step, and every step of the levels below, has a whole point.

    Args:
        levels: What each level above 0 needs, from the lowest.

    >>> level_of([[Step("a", Proof(1, ""))], [Step("b", Proof(0.5, ""))]])
    1
    """
    reached = 0
    for steps in levels:
        if any(step.proof.points < 1 for step in steps):
            break
        reached += 1
    return reached
