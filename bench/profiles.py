"""What a profile costs beside the least that any look at the rows costs: reading and summing them.

A reference and a current file of 1 000 000 rows, 20 numeric and 5 categorical columns (heavy tails, ties,
missing values, 5 000 levels). CPU seconds of the whole process, all threads; medians of rounds in which the
engines take turns. `floor` reads both files and sums them; `vitok` reads both and profiles both by bins that
were frozen before, as a window is profiled in production; `one window` does so with the current file alone.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure
import numpy as np
import polars as pl

from vitok.charter.model import DriftRule
from vitok.monitor.drift import drift_findings
from vitok.stats.bins import fit_bins
from vitok.stats.profiles import profile, reference_of

NUMERIC = [f"n{place:02d}" for place in range(20)]
CATEGORICAL = [f"c{place}" for place in range(5)]
LIMIT = 2.0


def _numbers(rows: int, rng: np.random.Generator, moved: bool) -> dict[str, np.ndarray]:
    normal = rng.standard_normal
    columns = {name: normal(rows) * 10.0**place for place, name in enumerate(NUMERIC[:9])}
    columns["n07"] += 0.5e7 * moved
    columns["n09"] = np.exp(2 * normal(rows))
    columns["n10"] = rng.standard_t(1.5, rows)
    columns["n11"] = rng.pareto(1.2 if moved else 1.5, rows) + 1
    columns["n12"] = rng.exponential(1.0, rows)
    for name, share in (("n13", 0.05), ("n14", 0.2 if moved else 0.02), ("n15", 0.3)):
        columns[name] = np.where(rng.random(rows) < share, np.nan, normal(rows))
    columns["n16"] = np.full(rows, 7.0)
    columns["n17"] = rng.poisson(3, rows).astype(np.float64)
    columns["n18"] = np.where(rng.random(rows) < 0.6, 0.0, rng.gamma(2, 3, rows))
    columns["n19"] = np.where(rng.random(rows) < 0.5, -2.0, 2.0) + normal(rows)
    return columns


def _frame(rows: int, seed: int, moved: bool) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    series = [
        pl.Series(name, values, nan_to_null=True) for name, values in _numbers(rows, rng, moved).items()
    ]
    for name, levels in zip(CATEGORICAL, (3, 10, 50, 5, 5000), strict=True):
        share = 1 / np.arange(1, levels + 1) ** 1.1
        codes = rng.choice(levels, size=rows, p=share / share.sum())
        names = pl.Series([f"{name}-{level}" for level in range(levels)])
        series.append(names.gather(codes).alias(name))
    return pl.DataFrame(series)


def _cpu(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _floor(files: list[Path]) -> None:
    for file in files:
        pl.read_parquet(file).select(pl.col(NUMERIC).sum(), pl.col(CATEGORICAL).count())


def run(rows: int, rounds: int, folder: Path) -> None:
    """Measures, prints and writes the figures."""
    files = [folder / "reference.parquet", folder / "current.parquet"]
    for seed, file in enumerate(files):
        _frame(rows, seed, moved=seed == 1).write_parquet(file)
    then = pl.read_parquet(files[0])
    bins = fit_bins(then, NUMERIC, CATEGORICAL)
    reference, now = reference_of(then, bins), profile(pl.read_parquet(files[1]), bins)
    engines: dict[str, Callable[[], Any]] = {
        "floor": lambda: _floor(files),
        "vitok": lambda: [profile(pl.read_parquet(file), bins) for file in files],
        "floor, one window": lambda: _floor(files[1:]),
        "vitok, one window": lambda: profile(pl.read_parquet(files[1]), bins),
        "vitok, freezing the bins": lambda: fit_bins(then, NUMERIC, CATEGORICAL),
        "vitok, all distances and verdicts": lambda: drift_findings(reference, now, DriftRule(effect=0.2)),
    }
    taken: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, work in engines.items():
            taken[name].append(_cpu(work))
    report(rows, {name: statistics.median(values) for name, values in taken.items()})


def report(rows: int, cpu: dict[str, float]) -> None:
    """Prints and writes one row for each engine, and the target."""
    compared = {"vitok": "floor", "vitok, one window": "floor, one window"}
    table = []
    for name, seconds in cpu.items():
        beside = compared.get(name)
        ratio = None if beside is None else round(seconds / cpu[beside], 2)
        table.append(
            {
                "engine": name,
                "rows": rows,
                "columns": 25,
                "cpu_ms": round(1000 * seconds),
                "times_floor": ratio,
            }
        )
    value = round(cpu["vitok"] / cpu["floor"], 2)
    measure.print_table(table)
    target = measure.target("CPU of reading and profiling / of reading and summing", value, LIMIT)
    measure.write("profiles", table, [target], packages=("vitok", "numpy", "polars"))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run(options.rows, options.rounds, Path(temporary))
