"""What is usual for windows."""

import json

import numpy as np
import polars as pl
import pytest

from vitok.stats.bins import fit_bins
from vitok.stats.profiles import profile
from vitok.stats.variation import Variation, angle, baseline, log_psi, variation


def test_bounds_of_mean_and_deviation_hold_in_nine_of_ten_samples() -> None:
    rng = np.random.default_rng(1)
    found = [baseline(rng.standard_normal(12).tolist()) for _ in range(2000)]
    assert np.mean([each is not None and each.mean >= 0 for each in found]) == pytest.approx(0.9, abs=0.02)
    assert np.mean([each is not None and each.deviation >= 1 for each in found]) == pytest.approx(
        0.9, abs=0.02
    )


def test_fewer_than_six_windows_say_nothing() -> None:
    assert baseline([0.1] * 5) is None
    assert baseline([0.1] * 6) is not None


def _season(days: int, rows: int) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Days whose weather is one for all rows of the day; every fourth day the sensor fails for some."""
    rng = np.random.default_rng(2)
    parts = []
    for day in range(days):
        weather = rng.normal(0, 3) + rng.normal(0, 1, rows)
        lost = rng.random(rows) < (0.5 if day % 4 == 0 else 0.0)
        parts.append(
            pl.DataFrame(
                {
                    "temp": pl.Series(np.where(lost, np.nan, weather), nan_to_null=True),
                    "still": rng.standard_normal(rows),
                    "level": rng.choice(["a", "b", "c"], rows),
                }
            )
        )
    return pl.concat(parts), parts


def test_days_with_a_weather_of_their_own_are_usually_far_from_their_season() -> None:
    whole, parts = _season(40, 400)
    bins = fit_bins(whole, ["temp", "still"], ["level"])
    found = variation(profile(whole, bins), [profile(part, bins) for part in parts], bins, 86400.0)
    temp, still, level = (found.columns[name] for name in ("temp", "still", "level"))
    assert temp.shift is not None
    assert still.shift is not None
    assert temp.shift.mean > log_psi(1.0) > log_psi(0.05) > still.shift.mean
    assert temp.missing is not None
    assert temp.missing.mean + 2 * temp.missing.deviation > angle(0.5)
    assert level.unseen is not None
    assert level.unseen.mean == pytest.approx(0.0, abs=0.01)
    assert temp.shift.windows == 40


def test_windows_with_few_rows_are_left_out_and_json_brings_all_back() -> None:
    whole, parts = _season(7, 60)
    bins = fit_bins(whole, ["temp", "still"], ["level"])
    profiles = [profile(part, bins) for part in [*parts[:5], parts[5].head(20), parts[6].head(20)]]
    found = variation(profile(whole, bins), profiles, bins, 3600.0)
    assert found.columns["still"].shift is None
    full = variation(profile(whole, bins), [profile(part, bins) for part in parts], bins, 3600.0)
    assert Variation.from_json(json.loads(json.dumps(full.to_json()))) == full
