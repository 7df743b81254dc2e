"""The example from an empty folder to a year of production, and new versions on their way into it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from vitok.charter.review import main_metric
from vitok.errors import Refused
from vitok.kernel.clock import stopwatch
from vitok.loop.check import check_project
from vitok.loop.example import write_example
from vitok.loop.release import release_at_once
from vitok.loop.replay import Reopen, replay
from vitok.loop.turn import run_turn

_MARCH, _NEW_YEAR = datetime(2013, 3, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC)
_POLICIES = ("never", "monthly")
_APRIL, _LOOKS = datetime(2013, 4, 1, tzinfo=UTC), timedelta(hours=6)
NEW_VERSIONS = ("good@2013-03-02", "failing(5%)@2013-03-20")


def run_demo(folder: Path, open_project: Reopen, say: Callable[[str], None], actor: str) -> dict[str, Any]:
    """Writes the example, checks it, trains on January and February, releases, and replays March to December.

    March is replayed once more with two new versions, a good one and one that fails.

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

    say(f"1/6 Building the project in {folder}: a year of real flights from New York and their weather")
    flights = write_example(folder)
    mark = done("data", started)
    project = open_project(folder, say=say)
    say("2/6 Checking charter and data (vitok check)")
    problems = check_project(project)
    for problem in problems["problems"]:
        say(f"  {problem['severity']}: {problem['where']}: {problem['what']}")
    mark = done("check", mark)
    say("3/6 First turn on January and February (vitok run --as-of 2013-03-01)")
    first = run_turn(project, as_of=_MARCH, trigger="demo", actor=actor)
    if not first.accepted:
        failed = "; ".join(gate.reason for gate in first.verdict.gates if not gate.passed)
        raise Refused(
            "demo",
            f"the first model was refused: {failed}",
            f"See `vitok card {first.version.number} --project {folder}`.",
        )
    mark = done("run", mark)
    say(f"4/6 Releasing version {first.version.number} (vitok release {first.version.number})")
    release_at_once(project, first.version.number, actor=actor)
    mark = done("release", mark)
    say("5/6 March to December as production would have been (vitok replay --policy never --policy monthly)")
    results = replay(project, _POLICIES, start=_MARCH, end=_NEW_YEAR, step=None, reopen=open_project)
    mark = done("replay", mark)
    options = " ".join(f'--inject "{text}"' for text in NEW_VERSIONS)
    say("6/6 A good and a failing new version meet the traffic of March, by the charter's canary")
    say(f"  (vitok replay --policy never --from 2013-03-01 --to 2013-04-01 --step 6h {options})")
    (tried,) = replay(project, ["never"], start=_MARCH, end=_APRIL, step=_LOOKS, inject=NEW_VERSIONS)
    done("releases", mark)
    done("all", started)
    return {
        "project": str(folder),
        "goal": project.charter.goal.statement,
        "flights": flights,
        "metric": main_metric(project.charter),
        "first": first.as_json(),
        "policies": [result.as_json() for result in results],
        "releases": tried.as_json(),
        "seconds": seconds,
    }
