"""Canaries on real flights end to end: replayed traffic, the real router, the journal, the evidence, the state machine.

A copy of the champion with a fault appears a day after the start of a span, gets 10 % of the flights, then 50 %, by
the example's charter with a limit on right decisions besides. It is looked at every six hours. History knows neither
failures nor times: the champion never fails, and times are simulated, log-normal with a median of 1 ms.

A version that is worse by less than a limit is promoted on purpose: limits say what is tolerated. `loses_points` is how
many decisions in a hundred a fault really spoils; the limit is 5. A loss of nearly the limit can neither be proved nor
excluded in such a time, and labels come eight hours after the decision.

The rows below those are the cases of `bench/release.py`, end to end: 2 % of the requests fail whichever version
answers, the limit on errors is 1.5x, and every run has another date or another split of the flights. In null runs the
new version is the champion again. These runs are watched by the month, to save time.
"""

import statistics
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time

import polars as pl
from measure import print_table, target, write
from release import upper

from vitok.charter.load import load_charter
from vitok.loop.example import write_example
from vitok.loop.feed import history
from vitok.loop.release import release_at_once
from vitok.loop.replay import replay
from vitok.loop.replay_answers import Workers
from vitok.loop.turn import run_turn
from vitok.loop.version_faults import parse_injection
from vitok.registry import releases
from vitok.wire import open_project

FIRST, DAYS, EVERY = datetime(2013, 3, 1, tzinfo=UTC), 18, timedelta(days=21)
GUARD = "guard: {errors: 2x, latency: 2x, negligible: 1%"
NONE = range(12)  # numbers of the spans
SOME = (0, 4, 8)
CASES = [
    ("good", NONE),
    ("failing(5%)", SOME),
    ("failing(2%)", SOME),
    ("failing(1%)", SOME),
    ("slow(2x)", SOME),
    ("slow(1.5x)", SOME),
    ("wrong(carrier = 'UA')", SOME),
    ("worse(30%)", SOME),
    ("worse(10%)", SOME),
]
BASE, RAMP = "incident(2%)@2013-01-01", "shares: [5%, 25%, 50%]"
SHARES, UNITS = "shares: [10%, 50%]", {"  time:": "  entity: tailnum\n  time:", "[tailnum, ": "["}
PARTS = [  # name, new version, changes of the charter, faults of the traffic from the third day on, runs
    ("null", "good", {}, (), 60),
    ("null, ramp 5-25-50 %", "good", {SHARES: RAMP}, (), 30),
    ("null, shared incident: 20 % for a day", "good", {}, ("incident(20%,24h)",), 30),
    (
        "null, all requests of 2 % of the aircraft fail, units are aircraft",
        "good",
        UNITS,
        ("bursts(2%)",),
        30,
    ),
    ("null, 12 % where 10 % was planned", "good", {SHARES: "shares: [10%]"}, ("split(12%)",), 12),
    ("fails 2x as often", "failing(2.04%)", {}, (), 12),
    ("fails 3x as often", "failing(4.08%)", {}, (), 12),
    ("fails 10x as often", "failing(18.4%)", {}, (), 12),
]
WATCHING = {
    "  window: 1d": "  window: 60d",
    "  slices: [origin]\n": "",
    "[worst_slice.roc_auc < 0.5]": "[]",
    GUARD: GUARD.replace("s: 2x", "s: 1.5x", 1),
}
FOUND = ("failing(5%)", "failing(2%)", "slow(2x)", "slow(1.5x)", "wrong(carrier = 'UA')")


def opened(folder):
    """The example with a version of January and February in production, and its rows at hand."""
    write_example(folder)
    project = open_project(folder)
    version = run_turn(project, as_of=FIRST, quick=True).version.number
    release_at_once(project, version, actor="bench")
    return project


def changed(project, changes):
    """The project with other lines in its charter."""
    text = (project.folder / "vitok.yaml").read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    found = replace(project, document=load_charter(text), cached_rows=None)
    return replace(found, cached_rows=found.rows())


def last_move(project, fault, number, traffic=()):
    """How the roll-out of a version with a fault ended in a span."""
    start = FIRST + number % len(NONE) * EVERY
    new = f"{fault}@{(start + timedelta(days=1)).date()}"
    span = {"start": start, "end": start + timedelta(days=DAYS), "step": timedelta(hours=6)}
    (result,) = replay(project, ["never"], **span, inject=[new, *traffic])
    return result.events[-1]


def spoiled(project, fault):
    """How many decisions in a hundred are wrong because of a fault, over the spans of the faults."""
    with project.engine.connect() as connection:
        plan = releases.current(connection).plan
    rows = project.rows()[0]
    spans = [(FIRST + number * EVERY, FIRST + number * EVERY + timedelta(days=DAYS)) for number in SOME]
    feed = pl.concat([history(rows, project.charter, *span) for span in spans]).filter(
        pl.col("late").is_not_null()
    )
    shares = []
    for text in ("good", fault):
        workers = Workers(project.blobs, feed)
        workers.faults[plan.champion.digest] = parse_injection(
            f"{text}@2013-03-01", project.charter, rows.columns
        )
        said = workers.answer(plan, feed)["decision"] == "true"
        shares.append((said == feed["late"]).mean())
    return round(100 * (shares[0] - shares[1]), 2)


def ends_of(project, case):
    """How the roll-outs of one of `PARTS` ended; each twelfth run has another split."""
    _, fault, changes, traffic, runs = case
    ends = []
    for first in range(0, runs, len(NONE)):
        salted = changed(project, WATCHING | changes | {"project: flight-delay": f"project: flights-{first}"})
        for number in range(first, min(runs, first + len(NONE))):
            third = (FIRST + number % len(NONE) * EVERY + timedelta(days=2)).date()
            ends.append(last_move(salted, fault, number, [BASE, *(f"{each}@{third}" for each in traffic)]))
    return ends


def row(fault, ends):
    """One line of the table."""
    decided = [end for end in ends if end["event"] != "unfinished"]
    back = sum(end["event"] == "rolled back" for end in ends)
    found = {
        "engine": "vitok replay, canary 10-50 %",
        "case": fault,
        "runs": len(ends),
        "rolled_back": back,
        "rolled_back_upper_percent": upper(back, len(ends)),
        "promoted": sum(end["event"] == "promoted" for end in ends),
        "inconclusive": sum(end["event"] == "inconclusive" for end in ends),
        "undecided": sum(end["event"] == "unfinished" for end in ends),
    }
    if decided:
        found["median_hours"] = statistics.median(end["hours"] for end in decided)
        found["median_rows_of_the_new"] = round(statistics.median(end["answers"] for end in decided))
    limits = {end["reason"].split(" broken")[0] for end in ends if end["event"] == "rolled back"}
    return found | {"because_of": ", ".join(sorted(limits))}


def judge(rows):
    """The targets of the table."""
    by_case = {each["case"]: each for each in rows}
    targets = [target(f"good: rolled back, of {len(NONE)}", by_case["good"]["rolled_back"], 0)]
    targets += [
        target(f"{case}: not rolled back", by_case[case]["runs"] - by_case[case]["rolled_back"], 0)
        for case in (*FOUND, *(name for name, *_ in PARTS if name.startswith("fails")))
    ]
    null = [each for each in rows if each["case"].startswith(("null", "good"))]
    back, runs = (sum(each[name] for each in null) for name in ("rolled_back", "runs"))
    targets.append(target(f"{runs} null runs: rolled back, upper bound, percent", upper(back, runs), 5.0))
    split = next(each for each in rows if "planned" in each["case"])
    targets.append(target("wrong split: not inconclusive", split["runs"] - split["inconclusive"], 0))
    return targets


def main() -> None:
    """Runs all cases, and writes the table."""
    with tempfile.TemporaryDirectory(prefix="vitok-bench-") as folder:
        plain = opened(Path(folder) / "flights")
        project = changed(plain, {GUARD: f"{GUARD}, quality: 0.05"})
        rows = [row(fault, [last_move(project, fault, number) for number in spans]) for fault, spans in CASES]
        for each in rows:
            if each["case"].startswith(("wrong", "worse")):
                each["loses_points"] = spoiled(project, each["case"])
        rows += [row(case[0], ends_of(plain, case)) for case in PARTS]
    targets = [*judge(rows), target("processor seconds", round(process_time()), 1500)]
    print_table(rows)
    print_table(targets)
    print(write("release_replay", rows, targets, ["vitok", "polars", "onnxruntime"]))


if __name__ == "__main__":
    main()
