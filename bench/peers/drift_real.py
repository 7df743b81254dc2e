"""No-drift windows of real data: Vitok's alerts in them, and the rows for its peers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightgbm
import monitor_alarms as simulated
import numpy as np
import polars as pl

from vitok.charter.model import DriftRule
from vitok.data.flights import build_tables, package_folder
from vitok.monitor.drift import SCORE, drift_findings
from vitok.monitor.evidence import Family, drift_evidence
from vitok.monitor.quality import Accepted, quality_findings, quality_window
from vitok.stats.bins import fit_bins
from vitok.stats.estimates import Estimate, estimate
from vitok.stats.profiles import profile, reference_of
from vitok.stats.scores import Scored
from vitok.stats.variation import variation

Found = tuple[dict[str, Any], pl.DataFrame, pl.DataFrame, int]
LABEL, AUC = "label", "roc_auc"


def census(folder: Path, size: int = 1000) -> Found:
    """Employment in Massachusetts as NannyML ships it: 2015 against 2016 to 2018, rows in their order.

    Each file is in the order of the survey, not of time: what differs between neighbouring windows is that order.
    """
    names = ("reference", "analysis")
    then, now = (pl.read_parquet(folder / f"employment_MA_{name}.pq") for name in names)
    now = now.join(
        pl.read_parquet(folder / "employment_MA_analysis_target.pq"), on="id", maintain_order="left"
    )
    apart = ("id", "year", "prediction", "predicted_probability", "employed")
    columns = [
        *(
            pl.col(name).cast(pl.String if dtype == pl.Categorical else pl.Float64)
            for name, dtype in then.schema.items()
            if name not in apart
        ),
        pl.col("predicted_probability").alias(SCORE),
        pl.col("employed").cast(pl.Int64).alias(LABEL),
    ]
    then, now = then.select(columns), now.select(columns)
    return watched(then, now, size), then, now, size


def flights(size: int = 920) -> Found:
    """Flights in random order, by as many as leave in a day: scores of a model of other rows."""
    table, _ = build_tables(package_folder())
    table = table.drop_nulls(["late", "delay_seen"]).sample(fraction=1.0, shuffle=True, seed=0)
    numbers, names = ["distance", "scheduled_minutes", "delay_seen"], ["carrier", "origin", "dest"]
    codes = [pl.col(name).rank("dense") for name in names]
    inputs = table.select(*numbers, *codes).cast(pl.Float64).to_numpy()
    late = table["late"].cast(pl.Int64).to_numpy()
    first = 60 * size
    model = lightgbm.LGBMClassifier(n_estimators=60, num_leaves=15, verbose=-1, n_jobs=1, random_state=0)
    model.fit(inputs[:first], late[:first])
    score = np.asarray(model.predict_proba(inputs))[:, 1]
    rows = table.select(*[pl.col(name).cast(pl.Float64) for name in numbers], *names)
    rows = rows.with_columns(pl.Series(SCORE, score), pl.Series(LABEL, late))
    then, now = rows[first : 2 * first], rows[2 * first : rows.height // size * size]
    return watched(then, now, size), then, now, size


def watched(then: pl.DataFrame, now: pl.DataFrame, size: int) -> dict[str, Any]:
    """Vitok's alerts in windows of so many rows, under a budget of one in 90 windows."""
    names = [name for name in then.columns if name != LABEL]
    categories = [name for name in names if then[name].dtype == pl.String]
    bins = fit_bins(then, [name for name in names if name not in categories], categories)
    reference = reference_of(then, bins)
    parts = [profile(each, bins) for each in _windows(then, size)]
    usual = variation(reference.profile, parts, bins, simulated.DAY.total_seconds())
    base = estimate(AUC, _scored(then))
    accepted = {AUC: Accepted(base.value, base.low)}
    alarms, past, cries = simulated.Alarms(), list[Estimate](), list[tuple[int, str, tuple[str, ...]]]()
    windows = _windows(now, size)
    for number, window in enumerate(windows):
        findings = drift_findings(reference, profile(window, bins), DriftRule(), variation=usual)
        found = quality_window(_scored(window), [AUC])
        judged = quality_findings(found, accepted, past={AUC: past})
        past += found.values()
        quality: Mapping[Family, dict[str, float]] = {
            "quality": {each.metric: each.evidence for each in judged}
        }
        told = alarms.take({**drift_evidence(tuple(findings)), **quality})
        cries += [(number, family, named) for family, named in told.items()]
    return {
        "windows": len(windows),
        "alerts_per_90_days": round(90 * len({number for number, _, _ in cries}) / len(windows), 3),
        "cries_per_90_days": round(90 * len(cries) / len(windows), 3),
        "alerts": [f"window {number}: {family} ({', '.join(named)})" for number, family, named in cries],
    }


def _windows(frame: pl.DataFrame, size: int) -> list[pl.DataFrame]:
    return [frame[start : start + size] for start in range(0, frame.height - size + 1, size)]


def _scored(frame: pl.DataFrame) -> Scored:
    return Scored("binary", frame[LABEL].to_numpy(), frame[SCORE].to_numpy())
