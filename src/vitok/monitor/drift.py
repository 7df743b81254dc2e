"""Which columns of a window are distributed otherwise than in the reference, how much, and how sure that is.

A column has moved if its PSI passes both the effect that matters and what chance reaches at this number of
rows. Missing values and unseen levels are judged apart, by the change of their share.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from vitok.charter.model import DriftRule
from vitok.stats.bins import CategoryBins, NumericBins
from vitok.stats.distances import (
    Counts,
    grouped,
    groups_of_equal_mass,
    js,
    ks,
    occupied,
    psi,
    psi_critical,
    two_proportions,
    wasserstein,
)
from vitok.stats.profiles import CategoryProfile, Column, NumericProfile, Profile, Reference

SCORE = "score"
# Ten bins with five rows each, the least at which the chi-square law of PSI is near.
LEAST_ROWS = 50
LEAST_IN_LEVEL = 5
GROUPS = 10
# Chance of any false alarm in a window without a change, over all columns and tests (Bonferroni).
ALPHA = 0.01
# What matters in practice: five points more or fewer missing values, two points more of levels never seen.
MISSING_EFFECT = 0.05
UNSEEN_EFFECT = 0.02


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """One column of one window against the reference.

    Args:
        column: Its name; `score` is the model's own score.
        status: `undecidable` with fewer than 50 rows, else `moved` if anything below did, else `quiet`.
        rows: Rows of the window.
        psi: PSI freed of chance, over about ten bins; None if there are too few values.
        critical: What the plain PSI exceeds by chance alone with the error rate of the window.
        ks: Kolmogorov-Smirnov distance over all bins (numeric columns).
        js: Jensen-Shannon distance freed of chance.
        wasserstein: Mean distance that mass moved, in ranks of the reference (numeric columns).
        missing_then: Share of missing values in the reference.
        missing_now: The same in the window.
        unseen_now: Share of the window's values whose level the reference lacks (categorical columns).
        shifted: Whether the distribution of the values moved.
        missing_changed: Whether the missing share did.
        unseen_jumped: Whether there are many unseen levels.
        effect: Whether anything is large enough to matter, chance aside.
        alarm: Whether anything is large enough to matter and no chance.
        sentence: The finding in words.
    """

    column: str
    status: Literal["undecidable", "quiet", "moved"]
    rows: int
    psi: float | None
    critical: float | None
    ks: float | None
    js: float | None
    wasserstein: float | None
    missing_then: float
    missing_now: float
    unseen_now: float
    shifted: bool
    missing_changed: bool
    unseen_jumped: bool
    effect: bool
    alarm: bool
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return asdict(self)


def drift_findings(
    reference: Reference, current: Profile, rule: DriftRule, *, alpha: float = ALPHA
) -> list[DriftFinding]:
    """Judges each column of a window: the score first, then alarms, then by PSI.

    Args:
        reference: Bins and profile of the rows that the model was trained on.
        current: Profile of the window by the same bins.
        rule: Smallest PSI that matters.
        alpha: Chance of any false alarm in a window without a change.
    """
    each = alpha / (3 * max(1, len(reference.bins)))
    findings = [
        _finding(name, reference, current.columns[name], rule.effect, each)
        for name in reference.bins
        if name in current.columns
    ]
    return sorted(findings, key=lambda f: (f.column != SCORE, not f.alarm, -(f.psi or 0.0), f.column))


@dataclass(frozen=True, slots=True)
class _Shift:
    """Distances of the values of one column; `plain` is the PSI with its chance part."""

    plain: float
    psi: float
    critical: float
    ks: float | None
    js: float
    wasserstein: float | None


def _finding(name: str, reference: Reference, now: Column, effect: float, alpha: float) -> DriftFinding:
    then, bins = reference.profile.columns[name], reference.bins[name]
    few = min(then.rows, now.rows) < LEAST_ROWS
    shift = None if few else _shift(then, now, alpha)
    large = shift is not None and shift.psi >= effect
    shifted = shift is not None and large and shift.plain > shift.critical
    missing = (then.missing / max(1, then.rows), now.missing / max(1, now.rows))
    more_missing = abs(missing[1] - missing[0]) >= MISSING_EFFECT
    missing_test = two_proportions((then.missing, now.missing), (max(1, then.rows), max(1, now.rows)))
    unseen, unseen_large, unseen_sure = _unseen(then, now, bins, alpha)
    missing_changed = not few and more_missing and missing_test < alpha
    unseen_jumped = not few and unseen_large and unseen_sure
    alarm = shifted or missing_changed or unseen_jumped
    return DriftFinding(
        column=name,
        status="undecidable" if few or (shift is None and not alarm) else "moved" if alarm else "quiet",
        rows=now.rows,
        psi=None if shift is None else shift.psi,
        critical=None if shift is None else shift.critical,
        ks=None if shift is None else shift.ks,
        js=None if shift is None else shift.js,
        wasserstein=None if shift is None else shift.wasserstein,
        missing_then=missing[0],
        missing_now=missing[1],
        unseen_now=unseen,
        shifted=shifted,
        missing_changed=missing_changed,
        unseen_jumped=unseen_jumped,
        effect=not few and (large or more_missing or unseen_large),
        alarm=alarm,
        sentence=_sentence(name, reference, now, shift, effect, (shifted, missing_changed, unseen_jumped)),
    )


def _shift(then: Column, now: Column, alpha: float) -> _Shift | None:
    """Distances of the values that are there; None if either side has fewer than 50."""
    if min(then.rows - then.missing, now.rows - now.missing) < LEAST_ROWS:
        return None
    if isinstance(then, NumericProfile) and isinstance(now, NumericProfile):
        fine = _ordered(then, then.counts), _ordered(now, now.counts)
        group = groups_of_equal_mass(then.counts, GROUPS)
        coarse = _ordered(then, grouped(then.counts, group)), _ordered(now, grouped(now.counts, group))
        distances: tuple[float, float] | None = ks(*fine), wasserstein(*fine)
    else:
        assert isinstance(then, CategoryProfile)
        assert isinstance(now, CategoryProfile)
        coarse, distances = _levels(then, now), None
    rows = int(coarse[0].sum()), int(coarse[1].sum())
    return _Shift(
        psi(*coarse, corrected=False),
        psi(*coarse),
        psi_critical(occupied(*coarse), *rows, alpha),
        None if distances is None else distances[0],
        js(*coarse),
        None if distances is None else distances[1],
    )


def _ordered(column: NumericProfile, counts: Counts) -> Counts:
    """Counts with what lies below and above the reference's range as bins of their own."""
    return np.concatenate([[column.below], counts, [column.above]]).astype(np.int64)


def _levels(then: CategoryProfile, now: CategoryProfile) -> tuple[Counts, Counts]:
    """Counts by level; levels too rare for the smaller side are counted with the others and the unseen ones.

    Unseen levels have a test of their own; here they only must not vanish.
    """
    least = LEAST_IN_LEVEL / min(then.rows - then.missing, now.rows - now.missing)
    common = then.counts >= least * (then.rows - then.missing)
    rest = [int(each.counts[~common].sum()) + each.other + each.unseen for each in (then, now)]
    return np.append(then.counts[common], rest[0]), np.append(now.counts[common], rest[1])


def _unseen(
    then: Column, now: Column, bins: NumericBins | CategoryBins, alpha: float
) -> tuple[float, bool, bool]:
    """Share of unseen levels, whether it matters, and whether it is no chance."""
    if not isinstance(now, CategoryProfile) or not isinstance(bins, CategoryBins):
        return 0.0, False, False
    rows, before = max(1, now.rows - now.missing), max(1, then.rows - then.missing)
    share = now.unseen / rows
    sure = two_proportions((round(bins.novelty * before), now.unseen), (before, rows)) < alpha
    return share, share - bins.novelty >= UNSEEN_EFFECT, sure and share > bins.novelty


def _sentence(
    name: str,
    reference: Reference,
    now: Column,
    shift: _Shift | None,
    effect: float,
    found: tuple[bool, bool, bool],
) -> str:
    then, parts = reference.profile.columns[name], []
    if min(then.rows, now.rows) < LEAST_ROWS:
        return f"{name}: {min(then.rows, now.rows)} rows are too few to judge; {LEAST_ROWS} are needed."
    if found[1]:
        share = (then.missing / then.rows, now.missing / now.rows)
        parts.append(f"{share[1]:.1%} of the values are missing, {share[0]:.1%} in the reference")
    if found[2] and isinstance(now, CategoryProfile):
        parts.append(
            f"{now.unseen / (now.rows - now.missing):.1%} of the values are levels never seen before"
        )
    if shift is None:
        parts.append("too few values to compare their distribution")
    else:
        doubt = "may have moved, but these rows cannot tell" if shift.psi >= effect else "holds"
        where = _direction(name, reference, now) if found[0] else ""
        parts.append(
            f"the distribution {'moved' if found[0] else doubt}: PSI {shift.psi:.2f}, "
            f"limit {effect:.2f}, chance alone reaches {shift.critical:.2f}{where}"
        )
    return f"{name}: {'; '.join(parts)}."


def _direction(name: str, reference: Reference, now: Column) -> str:
    """In which direction a column moved, for the sentence."""
    then, bins = reference.profile.columns[name], reference.bins[name]
    if isinstance(bins, NumericBins) and isinstance(then, NumericProfile) and isinstance(now, NumericProfile):
        before, after = then.mean(bins), now.mean(bins)
        return "" if before is None or after is None else f" (mean {before:.4g} then, {after:.4g} now)"
    if isinstance(bins, CategoryBins) and bins.levels:
        share = [each.counts / max(1, each.rows - each.missing) for each in (then, now)]
        level = int(np.argmax(np.abs(share[1] - share[0])))
        return f" ({bins.levels[level]}: {share[0][level]:.1%} then, {share[1][level]:.1%} now)"
    return ""
