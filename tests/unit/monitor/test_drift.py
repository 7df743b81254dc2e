"""Drift verdicts: what must be seen is seen, what is no change is quiet, at any number of rows."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import ks_2samp

from vitok.charter.model import DriftRule
from vitok.monitor.drift import DriftFinding, drift_findings
from vitok.stats.bins import fit_bins
from vitok.stats.profiles import profile, reference_of

RULE = DriftRule(effect=0.2)


def _one(then: object, now: object, categorical: bool = False) -> DriftFinding:
    frame = pl.DataFrame({"x": then}, strict=False)
    bins = fit_bins(frame, [] if categorical else ["x"], ["x"] if categorical else [])
    return drift_findings(
        reference_of(frame, bins), profile(pl.DataFrame({"x": now}, strict=False), bins), RULE
    )[0]


def _pareto(index: float, rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).pareto(index, rows) + 1


SHIFTS = {
    "pareto_x1.3": lambda rows: (_pareto(1.5, rows, 1), 1.3 * _pareto(1.5, rows, 2)),
    "pareto_index": lambda rows: (_pareto(1.5, rows, 1), _pareto(1.2, rows, 2)),
    "normal_half_sd": lambda rows: (_normal(rows, 1), _normal(rows, 2) + 0.5),
    "normal_hundredth_sd": lambda rows: (_normal(rows, 1), _normal(rows, 2) + 0.01),
    "student_plus_one": lambda rows: (_student(rows, 1), _student(rows, 2) + 1),
    "lognormal_x3": lambda rows: (np.exp(_normal(rows, 1)), 3 * np.exp(_normal(rows, 2))),
}
MOVED = {"pareto_x1.3", "normal_half_sd", "student_plus_one", "lognormal_x3"}


def _normal(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(rows)


def _student(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(1.5, rows)


@pytest.mark.parametrize("name", sorted(SHIFTS))
def test_verdict_does_not_depend_on_the_number_of_rows_even_with_heavy_tails(name: str) -> None:
    findings = [_one(*SHIFTS[name](rows)) for rows in (10_000, 100_000, 1_000_000)]
    assert {finding.moved for finding in findings} == {name in MOVED}
    assert findings[0].psi == pytest.approx(findings[2].psi, rel=0.1, abs=0.02)


def test_binned_ks_agrees_with_the_exact_one() -> None:
    for name in ("pareto_index", "pareto_x1.3", "normal_half_sd"):
        then, now = SHIFTS[name](100_000)
        assert _one(then, now).ks == pytest.approx(ks_2samp(then, now).statistic, abs=0.012)


def test_one_outlier_in_the_reference_changes_nothing() -> None:
    then, now = _normal(5000, 1), _normal(5000, 2) + 0.7
    plain, spoilt = _one(then, now), _one(np.append(then, 1e6), now)
    assert plain.moved
    assert spoilt.moved
    assert spoilt.psi == pytest.approx(plain.psi, abs=0.02)


def test_missing_share_from_two_to_twenty_per_cent_is_seen() -> None:
    rng = np.random.default_rng(0)
    then, now = (
        np.where(rng.random(2000) < share, np.nan, rng.standard_normal(2000)) for share in (0.02, 0.2)
    )
    finding = _one(then, now)
    assert finding.missing_changed
    assert finding.moved
    assert not finding.shifted
    assert "are missing" in finding.sentence
    same = _one(then, np.where(rng.random(300) < 0.03, np.nan, rng.standard_normal(300)))
    assert not same.moved


def test_five_thousand_unchanged_levels_are_quiet() -> None:
    share = 1 / np.arange(1, 5001) ** 1.1
    rng = np.random.default_rng(1)
    draw = [
        rng.choice(5000, rows, p=share / share.sum()).astype(str) for rows in (100_000, 100_000, 500, 5000)
    ]
    for now in draw[1:]:
        finding = _one(draw[0], now, categorical=True)
        assert finding.status == "quiet"
        assert finding.psi == pytest.approx(0, abs=0.02)


def test_identifiers_that_never_repeat_are_quiet() -> None:
    then, now = [f"a{row}" for row in range(3000)], [f"b{row}" for row in range(3000)]
    finding = _one(then, now, categorical=True)
    assert finding.unseen_now == 1.0
    assert not finding.moved


def test_new_levels_are_seen_and_known_ones_are_not_new() -> None:
    rng = np.random.default_rng(2)
    then, now = rng.choice(list("abcdef"), 5000), rng.choice(list("abcdef"), 2000).astype(object)
    assert not _one(then, now, categorical=True).moved
    now[:80] = "new"
    finding = _one(then, now, categorical=True)
    assert finding.unseen_jumped
    assert finding.unseen_now == pytest.approx(0.04)
    assert "never seen before" in finding.sentence


def test_a_share_of_levels_that_changes_is_seen_with_the_level_that_changed_most() -> None:
    rng = np.random.default_rng(3)
    then, now = rng.choice(["a", "b"], 4000, p=[0.5, 0.5]), rng.choice(["a", "b"], 4000, p=[0.8, 0.2])
    finding = _one(then, now, categorical=True)
    assert finding.shifted
    assert "a: 5" in finding.sentence or "b: 5" in finding.sentence


ALL = [None] * 500


@pytest.mark.parametrize(
    ("then", "now", "alarm"),
    [
        ([7.0] * 500, [7.0] * 500, False),
        ([7.0] * 500, [7.0] * 200, False),
        ([7.0] * 500, [8.0] * 500, True),
        ([0.0] * 300 + [1.0] * 200, [-1.0] * 300 + [1.0] * 200, True),
        (ALL, ALL, False),
        (ALL, [1.0] * 500, True),
        ([1.0, 2.0] * 250, ALL, True),
        ([float("inf")] * 500, [float("-inf")] * 500, True),
        ([1.0] * 500, [], False),
        ([], [], False),
    ],
)
def test_constant_empty_and_missing_columns_have_a_verdict_without_nan(
    then: list[float | None], now: list[float | None], alarm: bool
) -> None:
    frames = [pl.Series(values, dtype=pl.Float64) for values in (then, now)]
    finding = _one(*frames)
    assert finding.moved is alarm
    figures = [value for value in finding.as_json().values() if isinstance(value, float)]
    assert np.isfinite(figures).all()
    assert finding.sentence.endswith(".")
    if min(len(then), len(now)) < 50:
        assert finding.status == "undecidable"
    texts = [
        pl.Series([None if value is None else str(value) for value in values], dtype=pl.String)
        for values in (then, now)
    ]
    assert _one(*texts, categorical=True).sentence.endswith(".")


def test_few_rows_are_undecidable() -> None:
    finding = _one(_normal(1000, 1), _normal(49, 2) + 5)
    assert finding.status == "undecidable"
    assert not finding.moved
    assert "too few" in finding.sentence


@pytest.mark.parametrize("rows", [60, 200, 1000])
def test_windows_without_a_change_hardly_ever_alarm(rows: int) -> None:
    rng, columns, alarms = np.random.default_rng(rows), 20, 0
    frame = pl.DataFrame({f"x{i}": rng.standard_normal(5000) for i in range(columns)})
    frame = frame.with_columns(c=pl.Series(rng.choice(60, 5000).astype(str)))
    reference = reference_of(frame, fit_bins(frame, frame.columns[:-1], ["c"]))
    for _ in range(100):
        now = pl.DataFrame({f"x{i}": rng.standard_normal(rows) for i in range(columns)})
        now = now.with_columns(c=pl.Series(rng.choice(60, rows).astype(str)))
        alarms += any(
            finding.moved for finding in drift_findings(reference, profile(now, reference.bins), RULE)
        )
    assert alarms <= 4


def test_the_score_comes_first_then_what_moved_most() -> None:
    rng = np.random.default_rng(4)
    columns = {"a": 0.0, "b": 2.0, "c": 1.0, "score": 0.0}
    then = pl.DataFrame({name: rng.standard_normal(1000) for name in columns})
    now = pl.DataFrame({name: rng.standard_normal(1000) + shift for name, shift in columns.items()})
    reference = reference_of(then, fit_bins(then, list(columns), []))
    findings = drift_findings(reference, profile(now, reference.bins), RULE)
    assert [finding.column for finding in findings] == ["score", "b", "c", "a"]
    assert [finding.moved for finding in findings] == [False, True, True, False]


def test_findings_are_ranked_by_how_much_moved_and_how_much_that_matters() -> None:
    rng = np.random.default_rng(3)
    then = pl.DataFrame({name: rng.standard_normal(2000) for name in ("far", "near", "still")})
    now = then.with_columns(pl.col("far") + 3, pl.col("near") + 1)
    bins = fit_bins(then, then.columns, [])
    reference, current = reference_of(then, bins), profile(now, bins)
    plain = [finding.column for finding in drift_findings(reference, current, RULE)]
    assert plain == ["far", "near", "still"]
    weights = {"far": 0.001, "near": 0.1, "still": 0.5}
    ranked = drift_findings(reference, current, RULE, importance=weights)
    assert [finding.column for finding in ranked] == ["near", "far", "still"]
