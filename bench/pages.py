"""How long the server works for each page, with a year of history of ten versions.

The history is generated: hourly windows with findings of 25 columns, two turns a week, a release a month, alerts,
incidents and acts in between. Each page is asked for through the whole application, without a network; a page that
shows nothing is the floor in the same run. The same is done with a tenth of the history, to show what grows.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import measure
from sqlalchemy import insert, update

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from rollouts import START, two_versions
from vitok.govern import audit
from vitok.kernel.clock import VirtualClock
from vitok.loop.control import Control
from vitok.loop.links import Links
from vitok.loop.performance import project_performance
from vitok.registry import figures
from vitok.store import schema
from vitok.web.app import create_pages
from vitok.web.places import PLACES

LIMIT_MS = 200.0
HOUR = timedelta(hours=1)
COLUMNS = 25
METRICS = (
    "roc_auc",
    "pr_auc",
    "log_loss",
    "brier",
    "calibration_error",
    "accuracy",
    "precision",
    "recall",
    "f1",
)


def estimate(value: float, rows: int = 900) -> dict[str, Any]:
    """A figure as the registry has it."""
    return {"value": value, "low": value - 0.03, "high": value + 0.03, "rows": rows, "method": "DeLong"}


def finding(number: int, rng: random.Random) -> dict[str, Any]:
    """What a window says of a column."""
    psi = rng.expovariate(2.0)
    return {
        "column": f"column_{number}", "status": "quiet", "rows": 890, "psi": psi, "critical": 0.04, "usual": 2.6,
        "ks": rng.random(), "js": rng.random(), "wasserstein": rng.random(), "missing_then": 0.1,
        "missing_now": 0.1, "unseen_now": 0.0, "shifted": False, "missing_changed": False,
        "unseen_jumped": False, "other_unit": False, "effect": True,
        "sentence": f"column_{number}: the distribution is as far off as windows usually are: PSI {psi:.2f}.",
    }  # fmt: skip


def window(start: Any, version: int, rng: random.Random) -> dict[str, Any]:
    """A window with everything that watching writes down."""
    quality = {name: estimate(0.7 + 0.05 * rng.random()) for name in METRICS}
    slices = {f"origin={name}": {"roc_auc": estimate(0.7)} for name in ("EWR", "JFK", "LGA")}
    evidence = {
        f"column_{i}": {"levels": [rng.random()] * 5, "windows": 20, "run": 1} for i in range(COLUMNS)
    }
    return {
        "start": start, "end": start + HOUR, "state": "final", "rows": 900, "labelled": 880, "version": version,
        "drift": [finding(i, rng) for i in range(COLUMNS)], "quality": quality,
        "details": {"digest": "x", "outcomes": 880, "estimated": quality, "slices": slices,
                    "evidence_of_drift": {"families": {"inputs": {"members": evidence}}}},
    }  # fmt: skip


def grow(project: Any, days: int) -> None:
    """Writes the history."""
    rng, end = random.Random(0), START + timedelta(days=days)
    numbers = range(1, 11)
    with project.engine.begin() as connection:
        gates = [{"name": "roc_auc > baseline", "passed": True, "reason": "cleared", "value": 0.7}] * 9
        summary = {"algorithm": "lightgbm", "test_rows": 5761, "left_out": {}, "not_features": {}, "task": "binary",
                   "data": {"digest": "x", "rows": 300000, "start": "2013-01-01", "end": "2013-02-28"}}  # fmt: skip
        metrics = {name: estimate(0.72) for name in METRICS}
        connection.execute(update(schema.versions).values(gates=gates, metrics=metrics, summary=summary))
        found = dict(connection.execute(schema.versions.select()).mappings().first() or {})
        for number in numbers[2:]:
            connection.execute(
                insert(schema.versions).values({**found, "number": number, "digest": f"d{number}"})
            )
        moments = [START + HOUR * i for i in range(days * 24)]
        share = len(moments) / len(numbers)
        for place in range(0, len(moments), 500):
            some = moments[place : place + 500]
            rows = [window(m, int((place + i) / share) + 1, rng) for i, m in enumerate(some)]
            connection.execute(insert(schema.windows), rows)
        for number in range(days * 2 // 7):
            started = START + timedelta(days=number * 3.5)
            turn = {
                "id": f"turn{number}", "started": started, "ended": started + HOUR, "as_of": started,
                "trigger": "schedule(weekly)", "stage": "end", "state": "refused" if number % 3 else "accepted",
                "version": 1, "charter": "c", "data": {}, "seconds": {"data": 1.0}, "message": "refused",
                "number": number + 1, "actor": "vitok", "quick": False, "pins": {},
            }  # fmt: skip
            connection.execute(insert(schema.turns).values(turn))
        for number in range(days):
            moment = START + timedelta(days=number)
            about = {
                "since": moment.isoformat(),
                "what": ["roc_auc"],
                "sentence": "roc_auc fell.",
                "remedy": "Look.",
            }
            alert = {
                "id": f"alert{number}", "kind": "quality", "severity": "alarm", "opened": moment,
                "resolved": None if number > days - 4 else moment + HOUR, "window": moment, "message": "fell",
                "evidence": about, "note": "",
            }  # fmt: skip
            connection.execute(insert(schema.alerts).values(alert))
            audit.record(connection, moment, "ada", "release", f"version {number}", {"reason": "x" * 80})
        for number in range(days // 7):
            moment = START + timedelta(days=number * 7)
            incident = {
                "number": number + 1, "cause": f"c{number}", "kind": "quality", "severity": "high",
                "title": "roc_auc fell", "actor": "vitok", "began": moment, "detected": moment + HOUR,
                "recovered": moment + 5 * HOUR, "closed": None, "closed_by": None, "conclusion": "", "pending": None,
            }  # fmt: skip
            connection.execute(insert(schema.incidents).values(incident))
    project.clock.move_to(end)
    keep_figures(project)


def keep_figures(project: Any) -> None:
    """What the keeper reckons beside the pages, in the size that a year of flights has."""
    spans = [
        {"start": f"2013-{m:02}-01T00:00:00Z", "end": f"2013-{m:02}-28T00:00:00Z"} for m in range(1, 13)
    ] * 4
    psi = {"value": 0.3, "low": 0.2, "high": 0.4}
    ranked = [{"feature": f"column_{i}", "importance": 0.01, "psi": psi,
               "ks": {"value": 0.2}, "js": {"value": 0.1}, "usual": 0.4, "status": "quiet", "moved": False,
               "since": None, "missing_then": 0.0, "missing_now": 0.0, "unseen_now": 0.0}
              for i in range(COLUMNS)]  # fmt: skip
    shapes = {f"column_{i}": {"labels": ["a"] * 13, "then": [0.1] * 13, "now": [0.1] * 13, "psi": [0.3] * 48}
              for i in range(7)}  # fmt: skip
    drift = {"window": {**spans[0], "rows": 900, "version": 1}, "against": {"rows": 300000}, "moved": [],
             "columns": COLUMNS, "ranking": ranked, "notes": [], "quality_against": None,
             "history": {"columns": spans, "features": shapes}}  # fmt: skip
    kept = {"drift": {"figure": drift, "refused": None}}
    kept["performance"] = {"figure": project_performance(project), "refused": None}
    kept["performance, all"] = {"figure": project_performance(project, period="all"), "refused": None}
    with project.engine.begin() as connection:
        basis = figures.basis(connection)
        for name, content in kept.items():
            figures.keep(connection, name, figures.Kept(basis, project.clock(), content))


def paths() -> list[str]:
    """Every page that lists something, and some about one thing."""
    whole = [place.path for place in PLACES if place.template and "{" not in place.path]
    return [
        *whole,
        "/performance?period=all",
        "/performance?metric=roc_auc",
        "/turns/1",
        "/incidents/1",
        "/alerts/alert1",
    ]


async def time_pages(project: Any, asked: list[str], rounds: int) -> dict[str, float]:
    """Median milliseconds of each page."""
    pages = create_pages(Control(project, lambda: b"bench"), Links(project, lambda: b"bench"))
    transport = httpx.ASGITransport(pages)
    found = {}
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        for path in asked:
            taken = []
            for _ in range(rounds + 1):
                started = time.perf_counter()
                answer = await client.get(path)
                taken.append((time.perf_counter() - started) * 1000)
            assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
            found[path] = statistics.median(taken[1:])
    return found


def measured(days: int, rounds: int) -> dict[str, float]:
    """The pages of a project with so many days of history."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "expectations.yaml").write_text("columns: {}\n")
        project = two_versions(Path(folder), VirtualClock(START), more="monitor: {window: 1h}\n")
        grow(project, days)
        found = asyncio.run(time_pages(project, ["/login", *paths()], rounds))
        project.engine.dispose()
        return found


def run(days: int, rounds: int) -> None:
    """Measures, prints and writes the figures."""
    short, whole = measured(days // 10, rounds), measured(days, rounds)
    rows = [
        {"engine": "vitok", "page": path, "ms": round(took, 1), "ms_tenth": round(short.get(path, 0.0), 1),
         "floors": round(took / whole["/login"], 1)}
        for path, took in whole.items()
    ]  # fmt: skip
    measure.print_table(rows)
    worst = max(row["ms"] for row in rows)
    targets = [measure.target("slowest page, ms", worst, LIMIT_MS)]
    measure.write("pages", rows, targets, packages=("vitok", "starlette", "jinja2", "sqlalchemy"))
    print(json.dumps(targets))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    run(arguments.days, arguments.rounds)
