"""What one column's shift does to a metric, where it is known."""

import numpy as np
import polars as pl
import pytest

from vitok.stats.bins import fit_bins
from vitok.stats.feature_effects import column_effect
from vitok.stats.profiles import profile
from vitok.stats.scores import Scored, Undecidable

ROWS = 8000


def setting(frame, now, numbers, levels):
    bins = fit_bins(frame, numbers, levels)
    return profile(frame, bins).columns, profile(now, bins).columns, bins


def errors_by(rng, size):
    """A regression whose errors are as large as `size` says of each row."""
    truth = rng.normal(size=len(size))
    return Scored("regression", truth, truth + size * rng.normal(size=len(size)))


def test_the_effect_of_a_number_a_level_and_of_missing_values_is_what_the_window_then_shows():
    rng = np.random.default_rng(1)

    def drawn(shift, share, lost):
        x, level = rng.normal(shift, 1, ROWS), rng.choice(["a", "b"], ROWS, p=[1 - share, share])
        gone = rng.random(ROWS) < lost
        return pl.DataFrame(
            {"x": np.exp(0.3 * x), "level": level, "z": np.where(gone, np.nan, 1.0)}, nan_to_null=True
        )

    frame, now = drawn(0.0, 0.3, 0.1), drawn(0.5, 0.7, 0.4)
    then, there, bins = setting(frame, now, ["x", "z"], ["level"])
    parts = {
        "x": frame["x"].to_numpy(),
        "level": np.where(frame["level"].to_numpy() == "b", 2.0, 1.0),
        "z": np.where(frame["z"].is_null().to_numpy(), 3.0, 1.0),
    }
    expected = {"x": frame["x"].mean() * (np.exp(0.15) - 1), "level": 0.4, "z": 0.6}
    for name, size in parts.items():
        scored = errors_by(rng, size)
        found = column_effect("mae", scored, frame[name], then[name], there[name], bins[name])
        true = expected[name] * np.sqrt(2 / np.pi)
        assert found.value == pytest.approx(true, rel=0.15), name
        assert found.low < true < found.high, name


def test_a_column_that_did_not_move_or_that_errors_do_not_know_has_no_effect():
    rng = np.random.default_rng(2)
    frame = pl.DataFrame({"x": rng.normal(size=ROWS), "count": rng.poisson(1.0, ROWS).astype(float)})
    moved = pl.DataFrame({"x": rng.normal(1, 1, ROWS), "count": rng.poisson(1.0, ROWS).astype(float)})
    then, now, bins = setting(frame, moved, ["x", "count"], [])
    truth = rng.integers(0, 2, ROWS)
    scored = Scored("binary", truth, 1 / (1 + np.exp(-(2 * truth - 1 + 1.5 * rng.normal(size=ROWS)))))
    for name in ("x", "count"):
        found = column_effect("roc_auc", scored, frame[name], then[name], now[name], bins[name])
        assert found.low < 0 < found.high, name
        assert abs(found.value) < 0.02, name


def test_intervals_hold_what_rows_by_chance_do():
    held = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        frame, now = (pl.DataFrame({"x": rng.normal(mean, 1, 2000)}) for mean in (0.0, 0.7))
        then, there, bins = setting(frame, now, ["x"], [])
        scored = errors_by(rng, np.exp(0.3 * frame["x"].to_numpy()))
        found = column_effect("mae", scored, frame["x"], then["x"], there["x"], bins["x"])
        base = np.sqrt(2 / np.pi) * np.exp(0.045)
        held.append(found.low <= base * (np.exp(0.21) - 1) <= found.high)
    assert np.mean(held) > 0.75


def test_windows_unlike_all_rows_are_refused():
    frame, now = pl.DataFrame({"level": ["a", "b"] * 300}), pl.DataFrame({"level": ["c"] * 400 + ["a"] * 200})
    then, there, bins = setting(frame, now, [], ["level"])
    scored = errors_by(np.random.default_rng(0), np.ones(600))
    with pytest.raises(Undecidable, match="only 33% of the window's values are like any of these 600 rows"):
        column_effect("mae", scored, frame["level"], then["level"], there["level"], bins["level"])
