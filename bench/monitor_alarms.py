"""Simulated days without and with a change, and what Vitok's alarms say of them.

Ten numeric features, one category, a score, the measured AUC of a day of 1 000 rows, what its scores foretell of that
AUC, three rules of a charter, and the number of rows. Counts of a day are drawn by bin and not by row, which is the
same and a hundred times faster; only what scores foretell is reckoned from rows. Everything behind them is Vitok's own:
what is usual for windows of the reference, findings, e-values, and the detectors of each family.
"""

import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtr, ndtri

from vitok.charter.model import DriftRule
from vitok.monitor.drift import SCORE, drift_findings
from vitok.monitor.evidence import Family, Watch, drift_evidence, limits, weigh
from vitok.monitor.quality import PAST_WINDOWS, Accepted, corrected, evidence_beyond, quality_findings
from vitok.monitor.volume import volume_finding
from vitok.stats.bins import Bins, CategoryBins, NumericBins
from vitok.stats.edetectors import EValues, mean_evidence
from vitok.stats.estimates import Estimate, estimate
from vitok.stats.profiles import CategoryProfile, Column, NumericProfile, Profile, Reference
from vitok.stats.scores import Scored
from vitok.stats.unlabelled import Answers, estimate_unlabelled, fit_calibration
from vitok.stats.variation import Variation, variation

DAY, PERIOD = timedelta(days=1), 90
ROWS, REFERENCE_DAYS, MISSING, POSITIVE, AUC = 1000, 60, 0.02, 0.3, 0.80
FEATURES = [f"x{place}" for place in range(10)]
LEVELS = ("a", "b", "c", "d", "e")
# Day to day, in standard deviations of a column within a day, and of the AUC.
DISPERSION, QUALITY_DISPERSION = 0.3, 0.01
PARETO = 1.5
# Log odds of a label by what lies behind a score; the AUC is then about .80.
ODDS = (-1.0, 1.55)
# A weekly rhythm of traffic, and by how much days scatter around it (natural logarithm).
RHYTHM, SCATTER = (1.0, 1.0, 1.0, 1.0, 0.9, 0.4, 0.3), (0.02, 0.2)
RULE_DAYS, RULE_SLICES = 7, 4


@dataclass(frozen=True)
class Change:
    """What is different from a day on; a slow one grows over `days`."""

    name: str = "none"
    column: str = ""
    shift: float = 0.0
    factor: float = 1.0
    missing: float = MISSING
    new_level: float = 0.0
    loss: float = 0.0
    days: int = 0

    def on(self, day: int) -> "Change":
        """The change on its n-th day, from 1."""
        return replace(self, shift=self.shift * min(1.0, day / self.days), days=0) if self.days else self


NONE = Change()
CHANGES = [
    Change("feature shifted by .5 sd", "x0", shift=0.5),
    Change("feature shifted by 1 sd", "x3", shift=1.0),
    Change("unit x1000", "x1", factor=1000.0),
    Change("missing 2 % -> 20 %", "x2", missing=0.2),
    Change("new level at 10 %", "c0", new_level=0.1),
    Change("score shifted by .5 sd", SCORE, shift=0.5),
    Change("AUC falls by .05", "roc_auc", loss=0.05),
    Change("AUC falls by .10", "roc_auc", loss=0.10),
    Change("Pareto x1.3", "x9", factor=1.3),
    Change("feature drifts by 1 sd in 60 days", "x0", shift=1.0, days=60),
]


def _latent(name: str, values: np.ndarray) -> np.ndarray:
    """Standard normal figures behind the values of a column, which rise with them."""
    if name == "x9":
        return -ndtri(np.maximum(values, 1.0) ** -PARETO)
    return ndtri(values) if name == SCORE else (values - 5) / 2


def _values(name: str, latent: np.ndarray) -> np.ndarray:
    if name == "x9":
        return ndtr(-latent) ** (-1 / PARETO)
    return ndtr(latent) if name == SCORE else 5 + 2 * latent


def _bins(spread: float) -> Bins:
    inside = ndtri(np.arange(1, 64) / 64) * spread
    latent = np.concatenate([[-4.2 * spread], inside, [4.2 * spread]])
    bins: dict[str, NumericBins | CategoryBins] = {}
    for name in [*FEATURES, SCORE]:
        edges = _values(name, latent)
        bins[name] = NumericBins(tuple(edges.tolist()), 2.0**-16, float(edges[32]))
    bins["c0"] = CategoryBins(LEVELS, (), True, 0.0)
    return bins


@dataclass
class World:
    """Days of one project.

    Args:
        dispersed: Whether days differ from each other, in the reference as later.
    """

    dispersed: bool
    rng: np.random.Generator
    bins: Bins = field(init=False)
    reference: Reference = field(init=False)
    usual: Variation = field(init=False)
    accepted: Accepted = field(init=False)

    def __post_init__(self) -> None:
        self.tau = DISPERSION if self.dispersed else 0.0
        self.bins = _bins(math.hypot(1.0, self.tau))
        days = [self.day() for _ in range(REFERENCE_DAYS)]
        whole = days[0]
        for each in days[1:]:
            whole = whole + each
        self.reference = Reference(self.bins, whole)
        self.usual = variation(whole, days, self.bins, DAY.total_seconds())
        error = _auc_error(AUC, 10 * ROWS)
        value = AUC + error * self.rng.standard_normal()
        self.accepted = Accepted(value, value - 1.645 * error)

    def day(self, change: Change = NONE) -> Profile:
        """The profile of a day."""
        columns: dict[str, Column] = {}
        for name, bins in self.bins.items():
            mine = change if change.column == name else NONE
            effect = self.tau * self.rng.standard_normal()
            columns[name] = (
                self._category(mine, effect)
                if isinstance(bins, CategoryBins)
                else self._number(name, bins, mine, effect)
            )
        return Profile(ROWS, columns)

    def _number(self, name: str, bins: NumericBins, change: Change, effect: float) -> NumericProfile:
        missing = 0 if name == SCORE else int(self.rng.binomial(ROWS, change.missing))
        edges, moved = np.asarray(bins.edges), effect + change.shift
        below = ndtr(_latent(name, edges / change.factor) - moved)
        counts = self.rng.multinomial(ROWS - missing, np.diff(below, prepend=0.0, append=1.0))
        middle = float(_values(name, np.array([moved]))[0]) * change.factor
        total = round((middle - bins.offset) / bins.unit) * (ROWS - missing)
        ends = (bins.edges[0], bins.edges[-1])
        return NumericProfile(
            counts[1:-1], int(counts[0]), int(counts[-1]), missing, ROWS - missing, *ends, total, total**2
        )

    def _category(self, change: Change, effect: float) -> CategoryProfile:
        shares = category_shares(effect) * (1 - change.new_level)
        missing = int(self.rng.binomial(ROWS, MISSING))
        counts = self.rng.multinomial(ROWS - missing, [*shares, change.new_level])
        return CategoryProfile(counts[:-1], 0, int(counts[-1]), missing)

    def drift(self, change: Change = NONE) -> Mapping[Family, dict[str, float]]:
        """The evidence of a day's drift."""
        found = drift_findings(self.reference, self.day(change), DriftRule(), variation=self.usual)
        return {family: members for family, members in drift_evidence(tuple(found)).items() if members}

    def auc(self, change: Change = NONE) -> Estimate:
        """The measured AUC of a day."""
        true = AUC - change.loss + QUALITY_DISPERSION * self.dispersed * self.rng.standard_normal()
        error = _auc_error(true, ROWS)
        value = true + error * self.rng.standard_normal()
        return Estimate(value, value - 1.645 * error, value + 1.645 * error, ROWS, "normal")

    def rows(self, days: int, change: Change = NONE) -> pl.DataFrame:
        """Days as rows, one behind another, for engines that read these."""
        return pl.concat([self._rows(change.on(day + 1)) for day in range(days)])

    def _rows(self, change: Change) -> pl.DataFrame:
        rng, found = self.rng, {}
        label = rng.random(ROWS) < POSITIVE
        for name in [*FEATURES, SCORE]:
            mine = change if change.column == name else NONE
            latent = rng.standard_normal(ROWS)
            if name == SCORE:
                apart = math.sqrt(2) * ndtri(AUC - change.loss)
                spread = math.sqrt(1 + POSITIVE * (1 - POSITIVE) * apart**2)
                latent = (latent + apart * (label - POSITIVE)) / spread
            moved = self.tau * rng.standard_normal() + mine.shift
            values = _values(name, latent + moved) * mine.factor
            lost = rng.random(ROWS) < (0 if name == SCORE else mine.missing)
            found[name] = np.where(lost, np.nan, values)
        new = change.new_level if change.column == "c0" else 0.0
        shares = [*category_shares(self.tau * rng.standard_normal()) * (1 - new), new]
        levels = np.array([*LEVELS, "new"])[rng.choice(6, ROWS, p=shares)].tolist()
        frame = pl.DataFrame({**found, "c0": levels, "label": label.astype(np.int64)}, nan_to_null=True)
        return frame.with_columns(c0=pl.when(pl.lit(rng.random(ROWS)) >= MISSING).then("c0"))


def category_shares(effect: float) -> np.ndarray:
    """Shares of the levels on a day whose first level is more frequent than usual, by log odds."""
    odds = np.array([0.4, 0.25, 0.2, 0.1, 0.05]) * np.exp([effect, 0, 0, 0, 0])
    return np.asarray(odds / odds.sum())


def _auc_error(auc: float, rows: int) -> float:
    """Hanley and McNeil, Radiology 143, 1982."""
    ones, zeros = rows * POSITIVE, rows * (1 - POSITIVE)
    both = auc / (2 - auc) - auc**2, 2 * auc**2 / (1 + auc) - auc**2
    return math.sqrt((auc * (1 - auc) + (ones - 1) * both[0] + (zeros - 1) * both[1]) / (ones * zeros))


class Alarms:
    """The families' detectors under the budget of one false alarm in 90 windows, as the loop asks them."""

    def __init__(self, width: timedelta = DAY) -> None:
        self._limits = limits((1, PERIOD * width), width)
        self._states: dict[Family, Watch] = {}

    def take(self, evidence: Mapping[Family, Mapping[str, EValues]]) -> dict[Family, tuple[str, ...]]:
        """One more window: the families that begin to cry, and whom they name."""
        cries = {}
        for family, members in evidence.items():
            state, verdict = weigh(self._states.get(family, Watch()), members, self._limits[family])
            self._states[family] = state
            if verdict is not None and verdict.cries:
                cries[family] = verdict.named
        return cries

    def holds(self) -> bool:
        """Whether an alarm is on."""
        return any(bool(state.held) for state in self._states.values())


def quality_evidence(world: World, past: list[Estimate], found: Estimate) -> dict[Family, dict[str, EValues]]:
    """The evidence of a day's measured quality; the day is added to the past."""
    judged = quality_findings({"roc_auc": found}, {"roc_auc": world.accepted}, past={"roc_auc": past})
    past[:] = [*past[1 - PAST_WINDOWS :], found]
    return {"quality": {each.metric: each.evidence for each in judged}}


class Foretold:
    """Days of the same project as rows: what their scores foretell of the AUC, and what their labels say of it."""

    def __init__(self, world: World, days: int) -> None:
        self._rng, self._tau = world.rng, world.tau
        reference = self._rows(10 * ROWS, 0.0)
        calibration, known = fit_calibration(reference), estimate("roc_auc", reference)
        self.accepted = Accepted(known.value, known.low)
        self.days = []
        for _ in range(days):
            rows = self._rows(ROWS, self._tau * self._rng.standard_normal())
            told = estimate_unlabelled("roc_auc", calibration, Answers("binary", rows.scores, rows.decisions))
            self.days.append((told, estimate("roc_auc", rows)))

    def _rows(self, count: int, shift: float) -> Scored:
        latent = self._rng.standard_normal(count) + shift
        truth = self._rng.random(count) < 1 / (1 + np.exp(-ODDS[0] - ODDS[1] * latent))
        scores = ndtr(latent)
        return Scored("binary", truth.astype(np.int64), scores, (scores >= 0.5).astype(np.int64))

    def evidence(
        self, place: int, past: list[tuple[dict[str, Estimate], dict[str, Estimate]]]
    ) -> dict[Family, dict[str, EValues]]:
        """The evidence of a day's estimate; the day, whose labels come the next morning, is added to the past."""
        told, true = ({"roc_auc": each} for each in self.days[place])
        found = corrected(told, past)
        before = {"roc_auc": [each["roc_auc"] for each, _ in past]}
        judged = quality_findings(found, {"roc_auc": self.accepted}, past=before)
        past[:] = [*past[1 - PAST_WINDOWS :], (found, true)]
        return {"estimate": {each.metric: each.evidence for each in judged}}


def rule_evidence(world: World, past: list[Estimate]) -> dict[Family, dict[str, EValues]]:
    """The evidence of three rules whose bounds lie where the truth is: a day, seven days, the worst of four slices.

    Args:
        past: Measured AUC of the days so far, the last one being judged.
    """
    week = past[-RULE_DAYS:]
    value, error = statistics.fmean(each.value for each in week), _auc_error(AUC, ROWS * len(week))
    seven = Estimate(value, value - 1.645 * error, value + 1.645 * error, ROWS * len(week), "normal")
    error = _auc_error(AUC, ROWS // RULE_SLICES)
    slices = AUC + error * world.rng.standard_normal(RULE_SLICES)
    parts = [
        Estimate(each, each - 1.645 * error, each + 1.645 * error, ROWS, "normal") for each in slices.tolist()
    ]

    def against(found: Estimate) -> EValues:
        return evidence_beyond(found, AUC, wants_high=False, spread=(found.high - found.low) / 4)

    return {
        "rules": {
            "roc_auc > 0.8": against(past[-1]),
            "roc_auc > 0.8 for window(7d)": tuple(each ** (1 / RULE_DAYS) for each in against(seven)),
            "worst_slice.roc_auc > 0.8": mean_evidence([against(each) for each in parts]),
        }
    }


def volume_evidence(world: World, past: dict[datetime, int], day: int) -> dict[Family, dict[str, EValues]]:
    """The evidence of a day's number of rows; the day is added to the past."""
    start = datetime(2025, 1, 6, tzinfo=UTC) + day * DAY
    scatter = math.exp(SCATTER[world.dispersed] * world.rng.standard_normal())
    count = int(world.rng.poisson(ROWS * RHYTHM[day % 7] * scatter))
    found = volume_finding("predictions", count, past, start, DAY)
    past[start] = count
    past.pop(start - PAST_WINDOWS * 2 * DAY, None)
    return {"volume": found.members} if found.members else {}


def false_alarms(dispersed: bool, years: int, projects: int, pool: int, seed: int) -> dict[str, Any]:
    """Alerts of simulated years without a change.

    Args:
        projects: So many references are drawn; each has as many of the years.
        pool: Days of drift drawn for each project; its years are drawn from these, for their rows are the dear part.
    """
    alerts: dict[str, int] = {}
    means: dict[str, list[float]] = {}
    noisy = announced = 0
    for project in range(projects):
        world = World(dispersed, np.random.default_rng([seed, project]))
        days, foretold = [world.drift() for _ in range(pool)], Foretold(world, pool)
        for day in days:
            _note(means, day)
        for _ in range(years // projects):
            alarms, past, count = Alarms(), list[Estimate](), 0
            told, rows = list[tuple[dict[str, Estimate], dict[str, Estimate]]](), dict[datetime, int]()
            for number, place in enumerate(world.rng.integers(0, pool, 365)):
                others = quality_evidence(world, past, world.auc())
                others |= foretold.evidence(place, told) | rule_evidence(world, past)
                others |= volume_evidence(world, rows, number)
                _note(means, others)
                cries = alarms.take({**days[place], **others})
                count += bool(cries)
                for family in cries:
                    alerts[family] = alerts.get(family, 0) + 1
            announced += count
            noisy += count > 365 / PERIOD
    spans = years * 365 / PERIOD
    return {
        # Families that begin to cry in the same window are one alert.
        "alerts_per_90_days": round(announced / spans, 3),
        "cries_per_90_days": round(sum(alerts.values()) / spans, 3),
        "by_family": {family: round(alerts.get(family, 0) / spans, 4) for family in means},
        "mean_e_value": {family: round(statistics.fmean(each), 3) for family, each in means.items()},
        "share_of_years_over_budget": round(noisy / years, 3),
        "windows": years * 365,
    }


def _note(means: dict[str, list[float]], evidence: Mapping[Family, Mapping[str, EValues]]) -> None:
    """Keeps the mean e-value of each family in a window."""
    for family, members in evidence.items():
        means.setdefault(family, []).append(statistics.fmean(map(statistics.fmean, members.values())))


def power(change: Change, dispersed: bool, runs: int, seed: int) -> dict[str, Any]:
    """After 60 quiet days a change: how often it is announced within 30 days (a slow one: within 90), and when."""
    horizon = 90 if change.days else 30
    delays, named, families = [], 0, dict[str, int]()
    for world in _worlds(dispersed, runs, seed):
        quiet = [world.drift() for _ in range(12)]
        alarms, past = Alarms(), list[Estimate]()
        for place in world.rng.integers(0, len(quiet), 60):
            alarms.take({**quiet[place], **quality_evidence(world, past, world.auc())})
        if alarms.holds():
            alarms = Alarms()
        for day in range(1, horizon + 1):
            now = change.on(day)
            quality = quality_evidence(world, past, world.auc(now))
            cries = alarms.take({**world.drift(now), **quality})
            if cries:
                delays.append(day)
                named += any(change.column in names for names in cries.values())
                families = {**families, **{name: families.get(name, 0) + 1 for name in cries}}
                break
    return {
        "detected_share": round(len(delays) / runs, 2),
        "within_windows": horizon,
        "delay_mean_windows": round(statistics.fmean(delays), 1) if delays else None,
        "delay_median_windows": statistics.median(delays) if delays else None,
        "changed_column_named_share": round(named / max(1, len(delays)), 2),
        "by_family": families,
    }


def _worlds(dispersed: bool, runs: int, seed: int) -> Iterator[World]:
    """A project of its own for each few runs."""
    world = None
    for run in range(runs):
        if world is None or run % 5 == 0:
            world = World(dispersed, np.random.default_rng([seed, run]))
        yield world
