"""Watching beside its peers: speed, memory, a year of profiles, false alarms, and how soon a change is announced.

Peers run in environments of their own under `.bench/`; engines take turns, each in a process of its own. Figures of
drift on a million rows are CPU seconds from the files to the verdicts, without imports.
"""

import argparse
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import measure
import monitor_alarms as simulated
import numpy as np
import polars as pl
from peers import drift_data, drift_faults
from peers.drift_real import census, flights

from vitok.journal.profiles import Part, ProfileStore
from vitok.stats.bins import NumericBins, fit_bins
from vitok.stats.packed import pack, unpack
from vitok.stats.profiles import CategoryProfile, NumericProfile, Profile, reference_of

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"
# Each imports what it does not ask for, or asks for more than what it works with.
REQUIREMENTS = {
    "evidently": ["evidently==0.7.23", "pandas<3", "pyarrow"],
    "nannyml": ["nannyml==0.13.1", "statsmodels"],
}
HOUR, HOURS, FEATURES = timedelta(hours=1), 365 * 24, 100
YEAR = datetime(2025, 1, 6, tzinfo=UTC)
Rows = list[dict[str, Any]]


def python_of(engine: str) -> tuple[Path, str]:
    """The interpreter of a peer's environment, made if there is none, and why it cannot be used."""
    folder = ROOT / ".bench" / engine
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    if not list(folder.glob(f"lib/*/site-packages/{engine}")):
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        done = subprocess.run([*pip, *REQUIREMENTS[engine]], capture_output=True, text=True, check=False)
        if done.returncode:
            return python, done.stderr.strip().splitlines()[-1][:200]
    return python, ""


def ask(engine: str, script: str, *arguments: object) -> dict[str, Any]:
    """The JSON that a script says in the engine's environment; `error` if it says none."""
    python, trouble = python_of(engine) if engine in REQUIREMENTS else (Path(sys.executable), "")
    if trouble:
        return {"error": trouble}
    words = [str(python), str(PEERS / script), *map(str, arguments)]
    quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **quiet})
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        return {"error": (done.stderr.strip().splitlines() or ["no answer"])[-1][:200]}
    return dict(json.loads(lines[-1]))


def speed(folder: Path, rounds: int) -> tuple[Rows, Rows]:
    """Drift of a million rows of 25 columns, and whether memory grows with the rows."""
    drift_data.write(folder, 1_000_000, 100_000)
    then = pl.read_parquet(folder / "reference.parquet")
    bins = fit_bins(then, drift_data.NUMERIC, drift_data.CATEGORICAL)
    (folder / "reference.pickle").write_bytes(pickle.dumps(reference_of(then, bins)))
    del then
    runs: dict[str, tuple[Any, ...]] = {
        "floor": ("floor",),
        "vitok": ("vitok",),
        "floor, one window": ("floor window",),
        "vitok, one window": ("vitok window",),
        "scipy": ("scipy",),
        "vitok, chunks of 100k: 1M rows": ("vitok", folder, 10),
        "vitok, chunks of 100k: 4M rows": ("vitok", folder, 40),
        "evidently": ("evidently",),
        "nannyml": ("nannyml",),
    }
    found: dict[str, Rows] = {name: [] for name in runs}
    for turn in range(rounds):
        for name, (engine, *rest) in runs.items():
            if turn == 0 or not (engine in REQUIREMENTS or rest):
                found[name].append(ask(engine, "drift_speed.py", engine, *(rest or [folder])))
    table = [_speed_row(name, answers, found) for name, answers in found.items()]
    by_name = {row["engine"]: row for row in table}
    small, large = (by_name[f"vitok, chunks of 100k: {size} rows"]["peak_rss_mb"] for size in ("1M", "4M"))
    return table, [
        measure.target(f"{name}: CPU / floor, 1M x 25", by_name[name]["times_floor"], 2.0)
        for name in ("vitok", "vitok, one window")
    ] + [measure.target("peak memory of 4M rows / of 1M rows", round(large / small, 2), 1.1)]


def _speed_row(name: str, answers: Rows, found: dict[str, Rows]) -> dict[str, Any]:
    row: dict[str, Any] = {"what": "drift of 1M x 25", "engine": name}
    if "error" in answers[0]:
        return {**row, "note": answers[0]["error"]}
    cpu = statistics.median(each["cpu_s"] for each in answers)
    floor = "floor, one window" if name.endswith("one window") else "floor"
    beside = statistics.median(each["cpu_s"] for each in found[floor])
    moved = answers[0]["moved"]
    told = moved is not None
    return {
        **row,
        "version": answers[0]["version"],
        "cpu_s": round(cpu, 3),
        "times_floor": None if ":" in name else round(cpu / beside, 2),
        "peak_rss_mb": round(statistics.median(each["peak_rss_mb"] for each in answers)),
        "moved_of_11": len(set(moved) & set(drift_data.MOVED)) if told else None,
        "false_of_13": len(set(moved) & set(drift_data.QUIET)) if told else None,
        "flags_a_shift_of_.01_sd": drift_data.TINY in moved if told else None,
    }


def _hours(rng: np.random.Generator, bins: Any) -> list[Profile]:
    """Profiles of an hour of 1 000 rows; of numbers half a bin's share is drawn anew from hour to hour."""
    hours = []
    for _ in range(HOURS):
        columns: dict[str, Any] = {}
        for name, each in bins.items():
            numeric = isinstance(each, NumericBins)
            size = len(each.edges) - 1 if numeric else len(each.levels)
            counts = rng.multinomial(980, rng.dirichlet(np.full(size, 50.0)))
            if not numeric:
                columns[name] = CategoryProfile(counts, 0, 0, 20)
                continue
            low, high = sorted(rng.standard_normal(2).tolist())
            total, squares = (int(x) for x in rng.integers(2**22, 2**40, 2))
            columns[name] = NumericProfile(counts, 0, 0, 20, 980, low - 3, high + 3, total, squares)
        hours.append(Profile(1000, columns))
    return hours


def store(folder: Path) -> tuple[Rows, Rows]:
    """A year of hourly profiles of 100 features: its size, and how soon any span of it is answered."""
    rng = np.random.default_rng(0)
    names = [f"x{place}" for place in range(FEATURES)]
    frame = pl.DataFrame(rng.standard_normal((20_000, FEATURES)), schema=names)
    levels = pl.Series([f"level{place}" for place in range(12)])
    categories = names[80:]
    frame = frame.with_columns(
        levels.gather(rng.integers(0, 12, frame.height)).alias(name) for name in categories
    )
    bins = fit_bins(frame, names[:80], categories)
    path = folder / "profiles.sqlite"
    kept = ProfileStore(path, HOUR, {})
    hours = _hours(rng, bins)
    for day in range(0, HOURS, 24):
        parts = [
            Part(YEAR + place * HOUR, "digest", 1, "champion", "", pack(hours[place], bins))
            for place in range(day, min(day + 24, HOURS))
        ]
        kept.add(parts, {"worker": day}, kept.counted())
    taken, whole = [], []
    for place in range(220):
        first, last = sorted(rng.choice(HOURS + 1, 2, replace=False).tolist())
        first, last = (0, HOURS) if place >= 200 else (first, last)
        started = time.perf_counter()
        found = kept.read(YEAR + first * HOUR, YEAR + last * HOUR, "digest")
        assert found is not None
        assert unpack(found, bins).rows == 1000 * (last - first)
        (whole if place >= 200 else taken).append(1000 * (time.perf_counter() - started))
    kept.close()
    size = sum(file.stat().st_size for file in folder.glob("profiles.sqlite*")) / 1e6
    row = {
        "what": "a year of hours x 100 features",
        "engine": "vitok",
        "size_mb": round(size, 1),
        "span_p50_ms": round(float(np.median(taken)), 1),
        "span_p95_ms": round(float(np.quantile(taken, 0.95)), 1),
        "span_max_ms": round(max(taken), 1),
        "whole_year_ms": round(float(np.median(whole)), 1),
    }
    return [row], [
        measure.target("a year of hourly profiles of 100 features, MB", row["size_mb"], 100),
        measure.target("any span of a year, p95, ms", row["span_p95_ms"], 100),
        measure.target("the whole year, ms", row["whole_year_ms"], 100),
    ]


def ask_windows(
    folder: Path, then: pl.DataFrame, now: pl.DataFrame, size: int, label: str | None
) -> dict[str, dict[str, Any]]:
    """What each peer alerts on in windows of rows."""
    names = [name for name in then.columns if name not in ("label", "window")]
    numeric = [name for name in names if then[name].dtype.is_numeric()]
    question = {
        "numeric": numeric,
        "categorical": [name for name in names if name not in numeric],
        "size": size,
        "label": label,
        "score": "score",
    }
    (folder / "question.json").write_text(json.dumps(question))
    then.write_parquet(folder / "reference.parquet")
    now.write_parquet(folder / "windows.parquet")
    return {engine: ask(engine, "drift_windows.py", engine, folder) for engine in REQUIREMENTS}


def peer_alarms(what: str, answers: dict[str, dict[str, Any]]) -> Rows:
    """One row for each peer: how many windows without a change it alerts in, by each kind of its alerts."""
    table: Rows = []
    for engine, answer in answers.items():
        row: dict[str, Any] = {"what": what, "engine": engine, "note": answer.get("error")}
        if "error" not in answer:
            windows = answer["windows"]
            alerts = [bool(each) for each in windows]
            begun = sum(now and not before for before, now in zip([False, *alerts], alerts, strict=False))
            row |= {
                "windows": len(windows),
                "windows_with_an_alert_share": round(float(np.mean(alerts)), 3),
                "alerts_per_90_days": round(begun * 90 / len(windows), 2),
                "windows_called_drifted_as_a_whole": sum("(dataset)" in each for each in windows)
                if engine == "evidently"
                else None,
            }
        table.append(row)
    return table


def alarms_of_years(dispersed: bool, years: int) -> dict[str, Any]:
    """One scenario without a change; a function of the module, for a process of its own."""
    return simulated.false_alarms(dispersed, years, projects=min(40, years), pool=100, seed=7)


def days_of(dispersed: bool) -> str:
    """A scenario in words."""
    return "days differ, as in the reference" if dispersed else "days alike"


def quiet(folder: Path, years: int, windows: int, pool: ProcessPoolExecutor) -> tuple[Rows, Rows]:
    """False alarms: simulated years with and without differences between days, and real data."""
    found = {dispersed: pool.submit(alarms_of_years, dispersed, years) for dispersed in (False, True)}
    table: Rows = []
    shipped = next((ROOT / ".bench" / "nannyml").glob("lib/*/site-packages/nannyml/datasets/data"), None)
    real = {"flights shuffled": flights}
    if shipped is not None:
        real["census, Massachusetts"] = lambda: census(shipped)
    for what, windows_of in real.items():
        row, then, now, size = windows_of()
        table.append({"what": f"no drift: {what}", "engine": "vitok", **row})
        answers = ask_windows(folder, then, now[: windows * size], size, "label")
        table += peer_alarms(f"no drift: {what}", answers)
    for dispersed, future in found.items():
        what = f"no drift: {days_of(dispersed)}"
        world = simulated.World(dispersed, np.random.default_rng(3))
        then, now = world.rows(simulated.REFERENCE_DAYS), world.rows(windows)
        answers = ask_windows(folder, then, now, simulated.ROWS, "label")
        table.append({"what": what, "engine": "vitok", "years": years, **future.result()})
        table += peer_alarms(what, answers)
    return table, _within_budget(table)


def alone(years: int, pool: ProcessPoolExecutor) -> tuple[Rows, Rows]:
    """False alarms of simulated years, without asking the peers anew."""
    found = {dispersed: pool.submit(alarms_of_years, dispersed, years) for dispersed in (False, True)}
    table: Rows = [
        {"what": f"no drift: {days_of(dispersed)}", "engine": "vitok", "years": years, **future.result()}
        for dispersed, future in found.items()
    ]
    return table, _within_budget(table)


def _within_budget(table: Rows) -> Rows:
    told = [row for row in table if row["engine"] == "vitok"]
    return [
        measure.target(f"{row['what']}: alerts in 90 windows", row["alerts_per_90_days"], 1) for row in told
    ]


def planted(folder: Path, runs: int, windows: int, pool: ProcessPoolExecutor) -> Rows:
    """How often and how soon each change is announced; peers are asked where days are alike, their best case."""
    found = {
        (dispersed, change): pool.submit(simulated.power, change, dispersed, runs, 11)
        for dispersed in (False, True)
        for change in simulated.CHANGES
    }
    world = simulated.World(False, np.random.default_rng(5))
    then = world.rows(simulated.REFERENCE_DAYS)
    # A slow change is looked at on every fifth day, others on their first days.
    days = [
        list(range(5, 61, 5)) if change.days else list(range(1, windows + 1)) for change in simulated.CHANGES
    ]
    now = pl.concat(
        world.rows(1, change.on(day))
        for change, some in zip(simulated.CHANGES, days, strict=True)
        for day in some
    )
    table: Rows = []
    for engine, answer in ask_windows(folder, then, now, simulated.ROWS, "label").items():
        table += _peer_power(engine, answer, days)
    for (dispersed, change), future in found.items():
        table.append({"what": f"{change.name}; {days_of(dispersed)}", "engine": "vitok", **future.result()})
    return sorted(table, key=lambda row: (days_of(True) in row["what"], row["what"]))


def _peer_power(engine: str, answer: dict[str, Any], days: list[list[int]]) -> Rows:
    """A peer's answers to the changes, one behind another in its windows."""
    if "error" in answer:
        return [{"what": "planted changes", "engine": engine, "note": answer["error"]}]
    table, windows = [], iter(answer["windows"])
    for some, change in zip(days, simulated.CHANGES, strict=True):
        column = "(quality)" if change.loss else change.column
        hits = [day for day in some if column in next(windows)]
        table.append(
            {
                "what": f"{change.name}; {days_of(False)}",
                "engine": engine,
                "within_windows": some[-1],
                "first_alert_after_windows": hits[0] if hits else None,
                "windows_that_flag_it": f"{len(hits)} of {len(some)}",
            }
        )
    return table


def faults(folder: Path) -> Rows:
    """Columns that peers are known to get wrong: in how many of ten windows each engine flags them."""
    table: Rows = []
    for size in drift_faults.SIZES:
        frames = [drift_faults.frame(size, moved=moved).select("pareto") for moved in (False, True)]
        case = drift_faults.Case(1, f"sample size: Pareto x1.3, {size} rows", "pareto", True)
        table += _fault_rows(folder, frames, size, [case])
    frames = [drift_faults.frame(100_000, moved=moved) for moved in (False, True)]
    # A column that makes an engine give up is asked about alone, so that it hides no other.
    odd = [case for case in drift_faults.CASES if case.fault == 7]
    plain = [frame.drop(case.column for case in odd) for frame in frames]
    table += _fault_rows(folder, plain, 10_000, [case for case in drift_faults.CASES if case.fault != 7])
    for case in odd:
        alone = [frame.select(case.column) for frame in frames]
        table += _fault_rows(folder, alone, 10_000, [case])
    return table


def _fault_rows(folder: Path, frames: list[pl.DataFrame], size: int, cases: list[drift_faults.Case]) -> Rows:
    answers: dict[str, dict[str, Any]] = dict(ask_windows(folder, *frames, size, None))
    answers["vitok"] = {"windows": drift_faults.vitok_windows(frames[0], frames[1], size)}
    table: Rows = []
    for case in cases:
        for engine in ("vitok", *REQUIREMENTS):
            answer = answers[engine]
            row: dict[str, Any] = {"what": f"fault {case.fault}: {case.name}", "engine": engine}
            if "error" in answer:
                table.append({**row, "note": answer["error"]})
                continue
            windows = answer["windows"]
            crashed = [word for word in windows[0] if word.startswith("(error)")]
            note = next((word for word in crashed if case.column in word or engine == "evidently"), None)
            flagged = sum(case.column in each for each in windows)
            right = note is None and flagged == (len(windows) if case.moved else 0)
            told = {"flagged": f"{flagged} of {len(windows)}", "moved": case.moved, "is_right": right}
            table.append({**row, **told, "note": note})
    return table


def keep(rows: Rows, targets: Rows) -> None:
    """Writes the figures; those of parts that were not measured now stay as they are."""
    path = measure.RESULTS / "monitor.json"
    before = json.loads(path.read_text()) if path.exists() else {"rows": [], "targets": []}
    for new, known, name in ((rows, before["rows"], "what"), (targets, before["targets"], "name")):
        again = {(row[name], row.get("engine")) for row in new}
        new += [row for row in known if (row[name], row.get("engine")) not in again]
    measure.write("monitor", rows, targets, packages=("vitok", "numpy", "polars", "scipy"))


def main() -> None:
    """Measures, prints and writes the figures."""
    parser = argparse.ArgumentParser(description="Watching beside its peers.")
    parser.add_argument("--only", nargs="*", help="parts: speed, store, faults, quiet, planted, alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--years", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--windows", type=int, default=15, help="quiet windows that peers are asked about")
    options = parser.parse_args()
    rows: Rows = []
    targets: Rows = []
    with tempfile.TemporaryDirectory() as temporary, ProcessPoolExecutor(2) as pool:
        folder = Path(temporary)
        parts = {
            "speed": lambda: speed(folder, options.rounds),
            "store": lambda: store(folder),
            "faults": lambda: (faults(folder), []),
            "quiet": lambda: quiet(folder, options.years, options.windows, pool),
            "planted": lambda: (planted(folder, options.runs, 6, pool), []),
            "alone": lambda: alone(options.years, pool),
        }
        for name in options.only or [each for each in parts if each != "alone"]:  # it is a part of quiet
            more, limits = parts[name]()
            rows, targets = rows + more, targets + limits
    for what in dict.fromkeys(row["what"].split(":")[0].split(";")[0] for row in rows):
        measure.print_table([row for row in rows if row["what"].startswith(what)])
        print()
    measure.print_table(targets)
    keep(rows, targets)


if __name__ == "__main__":
    main()
