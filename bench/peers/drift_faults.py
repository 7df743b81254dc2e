"""Columns that drift checks are known to get wrong, before and after, and whether they really moved."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from vitok.charter.model import DriftRule
from vitok.monitor.drift import drift_findings
from vitok.stats.bins import fit_bins
from vitok.stats.profiles import profile, reference_of

Values = np.ndarray | list[str] | list[str | None]


@dataclass(frozen=True)
class Case:
    """A column of a fault: its number in the list of faults, in words, and whether it moved."""

    fault: int
    name: str
    column: str
    moved: bool


CASES = [
    Case(2, "heavy tail: Pareto x1.3", "pareto", True),
    Case(2, "heavy tail: Student t(1.5) + 1", "student", True),
    Case(2, "heavy tail: lognormal x3", "lognormal", True),
    Case(3, "one outlier of 1e6 in the reference, +.5 sd", "outlier", True),
    Case(4, "no drift: normal", "normal", False),
    Case(4, "no drift: Poisson", "poisson", False),
    Case(5, "missing 2 % -> 20 %", "missing", True),
    Case(6, "5 000 levels, no drift", "levels", False),
    Case(7, "constant, no drift", "constant", False),
    Case(7, "all missing, no drift", "empty", False),
    Case(7, "a value in all rows -> all missing", "vanished", True),
]
SIZES = (10_000, 100_000, 1_000_000)


def _columns(rows: int, rng: np.random.Generator, moved: bool) -> dict[str, np.ndarray]:
    normal = rng.standard_normal(rows) + 0.5 * moved
    if not moved:
        normal[0] = 1e6
    return {
        "pareto": (rng.pareto(1.2, rows) + 1) * (1.3 if moved else 1),
        "student": rng.standard_t(1.5, rows) + moved,
        "lognormal": np.exp(2 * rng.standard_normal(rows)) * (3 if moved else 1),
        "outlier": normal,
        "normal": rng.standard_normal(rows),
        "poisson": rng.poisson(3, rows).astype(float),
        "missing": np.where(rng.random(rows) < (0.2 if moved else 0.02), np.nan, rng.standard_normal(rows)),
        "constant": np.full(rows, 7.0),
        "empty": np.full(rows, np.nan),
        "vanished": np.full(rows, np.nan) if moved else rng.standard_normal(rows),
    }


def frame(rows: int, *, moved: bool) -> pl.DataFrame:
    """All columns before or after."""
    rng = np.random.default_rng([rows, moved])
    shares = 1 / np.arange(1, 5001) ** 1.1
    codes = rng.choice(5000, rows, p=shares / shares.sum())
    levels = pl.Series([f"level{place}" for place in range(5000)]).gather(codes)
    found = pl.DataFrame(_columns(rows, rng, moved), nan_to_null=True)
    return found.with_columns(levels.alias("levels"))


def vitok_windows(then: pl.DataFrame, now: pl.DataFrame, size: int) -> list[list[str]]:
    """The columns that Vitok calls moved in each window."""
    categories = [name for name in then.columns if then[name].dtype == pl.String]
    numbers = [name for name in then.columns if name not in categories]
    reference = reference_of(then, fit_bins(then, numbers, categories))
    rule, found = DriftRule(), []
    for start in range(0, now.height, size):
        findings = drift_findings(reference, profile(now[start : start + size], reference.bins), rule)
        found.append([each.column for each in findings if each.moved])
    return found
