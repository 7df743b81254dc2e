"""Reference and current files of 20 numeric and 5 categorical columns whose true change is known."""

from pathlib import Path

import numpy as np
import polars as pl

NUMERIC = [f"n{place:02d}" for place in range(20)]
CATEGORICAL = [f"c{place}" for place in range(5)]
MOVED = ["n06", "n07", "n08", "n11", "n12", "n14", "n15", "n18", "n19", "c1", "c2"]
TINY = "n05"  # .01 of a standard deviation: nothing that matters at any number of rows
QUIET = [name for name in (*NUMERIC, *CATEGORICAL) if name not in (*MOVED, TINY)]


def _zipf(levels: int, power: float = 1.1) -> np.ndarray:
    shares = 1.0 / np.arange(1, levels + 1) ** power
    return np.asarray(shares / shares.sum())


def _numbers(rows: int, rng: np.random.Generator, moved: bool) -> dict[str, np.ndarray]:
    normal = rng.standard_normal
    pairs = [(0, 1), (5, 2), (-3, 0.1), (1e4, 1e3), (0, 1e-3)]
    found = {f"n{place:02d}": mean + sd * normal(rows) for place, (mean, sd) in enumerate(pairs)}
    for name, shift in (("n05", 0.01), ("n06", 0.1), ("n07", 0.5)):
        found[name] = normal(rows) + shift * moved
    found["n08"] = normal(rows) * (1.5 if moved else 1.0)
    found["n09"] = np.exp(2 * normal(rows))
    found["n10"] = rng.standard_t(1.5, rows)
    found["n11"] = rng.pareto(1.2 if moved else 1.5, rows) + 1
    found["n12"] = rng.exponential(1.1 if moved else 1.0, rows)
    found["n13"] = np.where(rng.random(rows) < 0.05, np.nan, rng.random(rows))
    found["n14"] = np.where(rng.random(rows) < (0.2 if moved else 0.02), np.nan, normal(rows))
    found["n15"] = np.where(rng.random(rows) < 0.3, np.nan, normal(rows) + 0.3 * moved)
    found["n16"] = np.full(rows, 7.0)
    found["n17"] = rng.poisson(3, rows).astype(np.float64)
    found["n18"] = np.where(rng.random(rows) < (0.5 if moved else 0.6), 0.0, rng.gamma(2, 3, rows))
    side = rng.random(rows) < (0.6 if moved else 0.5)
    found["n19"] = np.where(side, -2.0, 2.0) + normal(rows)
    return found


def _levels(rows: int, rng: np.random.Generator, moved: bool) -> list[pl.Series]:
    tilted = _zipf(10, 0.5) * (np.linspace(1.25, 0.75, 10) if moved else 1.0)
    parts = [
        (np.full(3, 1 / 3), 0.0),
        (tilted / tilted.sum(), 0.0),
        (_zipf(50), 0.0),
        (np.full(5, 0.2), 0.1),
        (_zipf(5000), 0.0),
    ]
    found = []
    for place, (shares, missing) in enumerate(parts):
        codes = rng.choice(len(shares), size=rows, p=shares)
        if place == 2 and moved:
            new = rng.random(rows) < 0.03
            codes[new] = len(shares) + rng.integers(0, 5, int(new.sum()))
        names = pl.Series([f"level{level}" for level in range(len(shares) + 5)])
        values = names.gather(codes)
        if missing:
            values = values.zip_with(
                pl.Series(rng.random(rows) >= missing), pl.Series([None], dtype=pl.String)
            )
        found.append(values.alias(f"c{place}"))
    return found


def frame(rows: int, seed: int, *, moved: bool) -> pl.DataFrame:
    """Rows before or after the change."""
    rng = np.random.default_rng([seed, moved])
    numbers = [pl.Series(name, x, nan_to_null=True) for name, x in _numbers(rows, rng, moved).items()]
    return pl.DataFrame([*numbers, *_levels(rows, rng, moved)])


def write(folder: Path, rows: int, chunk: int) -> None:
    """`reference.parquet`, `current.parquet`, and the current rows again by chunks."""
    frame(rows, 0, moved=False).write_parquet(folder / "reference.parquet")
    current = frame(rows, 0, moved=True)
    current.write_parquet(folder / "current.parquet")
    (folder / "chunks").mkdir(exist_ok=True)
    for place in range(0, rows, chunk):
        current[place : place + chunk].write_parquet(folder / "chunks" / f"{place // chunk:03d}.parquet")
