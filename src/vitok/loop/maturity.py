"""How mature a project is: the ML Test Score, and levels of automation, from what it really has."""

from collections.abc import Mapping, Sequence
from typing import Any

from vitok.errors import VitokError
from vitok.evaluate.readiness import Proof, Step, level_of, meaning_of, test_score
from vitok.loop import launchmodel, launchpeople
from vitok.loop.facts import Check, Facts, gather
from vitok.loop.project import Project
from vitok.loop.readiness_tests import DATA, INFRASTRUCTURE, MODEL, MONITORING, SECTIONS, Test, by

_MACHINE = "vitok"
_Level = Mapping[str, Test]


def maturity(project: Project) -> dict[str, Any]:
    """The object that `vitok maturity --json` prints.

    Returns:
        score (of the ML Test Score), meaning, sections (points, and each test with points, evidence, remedy), levels
        (of Google's 0 to 2 and Microsoft's 0 to 4: level, and the steps of each), next (the steps that would raise
        the score first).
    """
    facts = gather(project)
    sections = {
        name: {test: _proof(check, facts) for test, check in tests.items()}
        for name, tests in SECTIONS.items()
    }
    score = test_score(sections)
    return {
        "score": score,
        "meaning": meaning_of(score),
        "sections": {
            name: {
                "points": sum(proof.points for proof in tests.values()),
                "tests": {test: proof.as_json() for test, proof in tests.items()},
            }
            for name, tests in sections.items()
        },
        "levels": {
            "google": _levels(_GOOGLE, facts),
            "microsoft": _levels(_MICROSOFT, facts),
        },
        "next": _next(sections),
    }


def _proof(check: Test, facts: Facts) -> Proof:
    """What a test gives; what is damaged has no points, and the other tests are still told."""
    try:
        return check(facts)
    except VitokError as error:
        return Proof(0, f"{error.place}: {error.what}", error.remedy)


def _next(sections: dict[str, dict[str, Proof]]) -> list[dict[str, str]]:
    """What to do first: the open tests of the weakest sections."""
    weakest = sorted(sections, key=lambda name: sum(proof.points for proof in sections[name].values()))
    return [
        {"section": name, "test": test, "remedy": proof.remedy}
        for name in weakest
        for test, proof in sections[name].items()
        if proof.points < 1
    ]


def _levels(levels: Sequence[_Level], facts: Facts) -> dict[str, Any]:
    steps = [[Step(what, _proof(check, facts)) for what, check in level.items()] for level in levels]
    return {
        "level": level_of(steps),
        "of": len(levels),
        "steps": [
            {"level": number, "what": step.what, **step.proof.as_json()}
            for number, level in enumerate(steps, 1)
            for step in level
        ],
    }


def _by_itself(facts: Facts) -> Proof:
    own = [turn for turn in facts.turns if turn.actor == _MACHINE]
    if own:
        return Proof(1, f"{len(own)} turn(s), the last by {own[-1].trigger}")
    return Proof(
        0, "every turn was started by hand", "Keep `vitok up` running, with triggers under retrain.on."
    )


def _listed(check: Check) -> Test:
    """A check of the launch list as a test."""
    return lambda facts: by(check(facts))


# MLOps levels of Google's architecture guide: 1 is a pipeline that trains by itself, 2 one that is delivered so.
_GOOGLE: Sequence[_Level] = (
    {
        "the pipeline runs as one": INFRASTRUCTURE["the whole pipeline is tested"],
        "data and models are validated by it": INFRASTRUCTURE["quality is judged before serving"],
        "production is watched": MONITORING["quality of what is served does not get worse"],
        "triggers start it": _listed(launchpeople.WATCHING["retraining"]),
        "a turn started by itself": _by_itself,
    },
    {
        "new versions are delivered gradually": INFRASTRUCTURE["new versions meet part of the traffic first"],
        "a version can be made again": INFRASTRUCTURE["training can be reproduced"],
        "code is tested by a pipeline": DATA["feature code is tested"],
    },
)
# Microsoft's maturity model: 1 DevOps, 2 automated training, 3 automated deployment, 4 automated operations.
_MICROSOFT: Sequence[_Level] = (
    {
        "releases follow a plan": _listed(launchmodel.RELEASE["in production"]),
        "outcomes come back": _listed(launchpeople.WATCHING["outcomes come back"]),
    },
    {
        "training is automated": INFRASTRUCTURE["the whole pipeline is tested"],
        "models are versioned and reviewed": MODEL["specifications are reviewed and versioned"],
        "a version can be made again": INFRASTRUCTURE["training can be reproduced"],
    },
    {
        "versions are tried on part of the traffic": INFRASTRUCTURE[
            "new versions meet part of the traffic first"
        ],
        "a prediction leads to its model and data": INFRASTRUCTURE["one example can be looked into"],
    },
    {
        "retraining starts by itself": _by_itself,
        "production is watched against training": MONITORING["training and serving agree"],
        "bad versions are taken back by themselves": INFRASTRUCTURE["there is a fast and safe way back"],
    },
)
