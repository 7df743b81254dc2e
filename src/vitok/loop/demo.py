"""The example from an empty folder to a year of production that runs by itself."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vitok.charter.review import main_metric
from vitok.errors import Refused
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import stopwatch
from vitok.loop.approving import answer_approval, find_request
from vitok.loop.check import check_project
from vitok.loop.example import write_example
from vitok.loop.maturity import maturity
from vitok.loop.project import Project
from vitok.loop.replay import Reopen, compare_policies, replay
from vitok.loop.reproduce import reproduce
from vitok.loop.rollout import release_version
from vitok.loop.turn import TurnResult, run_turn

_MARCH, NEW_YEAR = datetime(2013, 3, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC)
_POLICIES = ("never", "monthly")
BAD_VERSION = "failing(5%)@2013-05-15"
OWNER = "olga@example.org"
YEAR = "year"  # the folder of the year that was lived through, inside that of the project


def run_demo(folder: Path, open_project: Reopen, say: Callable[[str], None], actor: str) -> dict[str, Any]:
    """Writes the example, trains on January and February, compares policies, and lives through the year by itself.

    Returns:
        The object that `vitok demo --json` prints.

    Raises:
        UserMistake: the folder holds a project already.
        NotFound: the data package is not installed.
        Refused: the first model does not pass the charter's gates.
    """
    started, seconds = stopwatch(), {}

    def done(stage: str, since: float) -> float:
        seconds[stage] = round(stopwatch() - since, 2)
        return stopwatch()

    say(f"1/7 Building the project in {folder}: a year of real flights from New York and their weather")
    flights = write_example(folder)
    mark = done("data", started)
    project = open_project(folder, say=say)
    say("2/7 Checking charter and data (vitok check)")
    for problem in check_project(project)["problems"]:
        say(f"  {problem['severity']}: {problem['where']}: {problem['what']}")
    mark = done("check", mark)
    say("3/7 First turn on January and February (vitok run --as-of 2013-03-01)")
    first = _first(project, folder, actor)
    mark = done("run", mark)
    agreed = _release(project, first.version.number, actor)
    mark = done("release", mark)
    say(
        "5/7 March to December twice, to choose how to retrain (vitok replay --policy never --policy monthly)"
    )
    compared = compare_policies(
        project, _POLICIES, start=_MARCH, end=NEW_YEAR, step=None, reopen=open_project
    )
    mark = done("replay", mark)
    say(
        "6/7 The year by the charter, nobody at the keyboard; on May 15 somebody releases a version that fails"
    )
    say(f'  (vitok replay --policy charter --inject "{BAD_VERSION}" --keep {folder / YEAR})')
    year = {"start": _MARCH, "end": NEW_YEAR, "step": None, "inject": (BAD_VERSION,), "keep": folder / YEAR}
    (lived,) = replay(project, ["charter"], **year)  # type: ignore[arg-type]
    mark = done("year", mark)
    kept = open_project(folder / YEAR, say=say)
    say("7/7 Making the last version again, and measuring how ready the project is")
    say(f"  (vitok turns reproduce, vitok maturity --project {folder / YEAR})")
    again, ready = reproduce(kept, actor=actor), maturity(kept)
    kept.engine.dispose()
    done("maturity", mark)
    done("all", started)
    return {
        "project": str(folder),
        "year": str(folder / YEAR),
        "goal": project.charter.goal.statement,
        "flights": flights,
        "metric": main_metric(project.charter),
        "first": first.as_json(),
        "approval": agreed,
        "policies": compared["policies"],
        "advice": compared["advice"],
        "lived": lived.as_json(),
        "reproduced": again,
        "maturity": ready,
        "seconds": seconds,
    }


def _first(project: Project, folder: Path, actor: str) -> TurnResult:
    first = run_turn(project, as_of=_MARCH, trigger="demo", actor=actor)
    if not first.accepted:
        failed = "; ".join(gate.reason for gate in first.verdict.gates if not gate.passed)
        raise Refused(
            "demo",
            f"the first model was refused: {failed}",
            f"See `vitok card {first.version.number} --project {folder}`.",
        )
    return first


def _release(project: Project, number: int, actor: str) -> dict[str, Any]:
    """Asks for the release, gives the one approval that the charter wants, and releases."""
    project.say(
        f"4/7 Releasing version {number} (vitok release {number}); the charter asks the product owner"
    )
    try:
        release_version(project, MemoryLedger(), number, actor=actor)
    except Refused as error:
        project.say(f"  {error}")
    reason = "the gates are met, and the costs are those of our budget"
    project.say(f'  vitok approve r1.1 --as {OWNER} --reason "{reason}"')
    answer_approval(project, "r1.1", yes=True, who=OWNER, reason=reason)
    release_version(project, MemoryLedger(), number, actor=actor)
    return find_request(project, "r1")
