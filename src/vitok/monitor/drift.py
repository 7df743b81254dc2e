"""Which columns of a window are distributed otherwise than in the reference, how much, and how sure that is.

A column has moved if its PSI passes the effect that matters, what chance reaches at this number of rows, and what
windows of the reference itself reach. Missing values, unseen levels and another unit are judged apart. Each finding
carries e-values: what alarms through time are made of.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from vitok.charter.model import DriftRule
from vitok.stats.bins import CategoryBins, NumericBins
from vitok.stats.distances import psi_critical, two_proportions
from vitok.stats.edetectors import CERTAIN, NO_EVIDENCE, EValues, mean_evidence, normal_e_values
from vitok.stats.profiles import CategoryProfile, Column, NumericProfile, Profile, Reference
from vitok.stats.shifts import LEAST_ROWS, Shift, shift_of
from vitok.stats.variation import PSI_FLOOR, Baseline, Usual, Variation, angle, log_psi

SCORE = "score"
# Chance of any false finding in a window of independent rows without a change, over all columns and tests.
ALPHA = 0.01
# What matters in practice: five points more or fewer missing values, two points more of levels never seen.
MISSING_EFFECT = 0.05
UNSEEN_EFFECT = 0.02
# One-sided 95 % point: a window of the reference lies beyond its usual by so many deviations once in twenty.
_UNUSUAL = 1.645


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """One column of one window against the reference.

    Args:
        column: Its name; `score` is the model's own score.
        status: `undecidable` with fewer than 50 rows, else `moved` if anything below did, else `quiet`.
        rows: Rows of the window.
        psi: PSI freed of chance, over about ten bins; None if there are too few values.
        critical: What the plain PSI exceeds by chance alone with the error rate of the window.
        usual: PSI that windows of the reference hardly ever exceed; None where they are too few to tell.
        ks: Kolmogorov-Smirnov distance over all bins (numeric columns).
        js: Jensen-Shannon distance freed of chance.
        wasserstein: Mean distance that mass moved, in ranks of the reference (numeric columns).
        missing_then: Share of missing values in the reference.
        missing_now: The same in the window.
        unseen_now: Share of the window's values whose level the reference lacks (categorical columns).
        shifted: Whether the distribution of the values moved.
        missing_changed: Whether the missing share did.
        unseen_jumped: Whether there are many unseen levels.
        other_unit: Whether most values lie a whole range of the reference beyond it.
        effect: Whether anything is large enough to matter, chance aside.
        shift_evidence: E-values against "the values are where windows usually are, or nearer than what matters".
        fault_evidence: E-values against "the input is as whole as usual": missing, unseen, another unit.
        sentence: The finding in words.
    """

    column: str
    status: Literal["undecidable", "quiet", "moved"]
    rows: int
    psi: float | None
    critical: float | None
    usual: float | None
    ks: float | None
    js: float | None
    wasserstein: float | None
    missing_then: float
    missing_now: float
    unseen_now: float
    shifted: bool
    missing_changed: bool
    unseen_jumped: bool
    other_unit: bool
    effect: bool
    shift_evidence: EValues
    fault_evidence: EValues
    sentence: str

    @property
    def moved(self) -> bool:
        """Whether anything moved beyond what matters, chance, and what is usual."""
        return self.status == "moved"

    @property
    def is_fault(self) -> bool:
        """Whether the input itself looks broken, rather than the world behind it changed."""
        lost = self.missing_changed and self.missing_now > self.missing_then
        return lost or self.unseen_jumped or self.other_unit

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON values, without the e-values, which detectors have taken up."""
        whole = asdict(self)
        del whole["shift_evidence"], whole["fault_evidence"]
        return whole

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "DriftFinding":
        """Reads a finding of the past, whose e-values have been taken up."""
        return DriftFinding(**value, shift_evidence=NO_EVIDENCE, fault_evidence=NO_EVIDENCE)


def drift_findings(
    reference: Reference,
    current: Profile,
    rule: DriftRule,
    *,
    variation: Variation | None = None,
    importance: Mapping[str, float] | None = None,
    alpha: float = ALPHA,
) -> list[DriftFinding]:
    """Judges each column of a window: the score first, then what moved, by how much it moved and how much it matters.

    Args:
        reference: Bins and profile of the rows that the model was trained on.
        current: Profile of the window by the same bins.
        rule: Smallest PSI that matters.
        variation: What is usual for windows of this length; without it rows count as independent.
        importance: What the model's main metric loses without a column; without it all columns matter alike.
        alpha: Chance of any false finding in a window without a change.
    """
    each = alpha / (3 * max(1, len(reference.bins)))
    usual: Mapping[str, Usual] = {} if variation is None else variation.columns
    findings = [
        _Judge(name, reference, current.columns[name], usual.get(name, Usual()), rule.effect, each).finding()
        for name in reference.bins
        if name in current.columns
    ]
    matters = importance or {}

    def weight(finding: DriftFinding) -> float:
        known = max(0.0, matters.get(finding.column, 0.0)) if matters else 1.0
        return known * (finding.psi or 0.0)

    return sorted(
        findings, key=lambda f: (f.column != SCORE, not f.moved, -weight(f), -(f.psi or 0.0), f.column)
    )


class _Judge:
    """One column of one window."""

    def __init__(
        self, name: str, reference: Reference, now: Column, usual: Usual, effect: float, alpha: float
    ) -> None:
        self.name, self.reference, self.now, self.usual = name, reference, now, usual
        self.then, self.bins = reference.profile.columns[name], reference.bins[name]
        self.effect, self.alpha = effect, alpha
        self.few = min(self.then.rows, now.rows) < LEAST_ROWS
        self.shift = None if self.few else shift_of(self.then, now)
        self.missing = self.then.missing / max(1, self.then.rows), now.missing / max(1, now.rows)

    def finding(self) -> DriftFinding:
        shift = self.shift
        large = shift is not None and shift.psi >= self.effect
        shifted = (
            shift is not None
            and large
            and shift.plain > self._critical(shift)
            and not _is_usual(log_psi(shift.psi), self.usual.shift)
        )
        more_missing = abs(self.missing[1] - self.missing[0]) >= MISSING_EFFECT
        missing_changed = not self.few and more_missing and self._missing_is_sure()
        unseen, unseen_large, unseen_sure = self._unseen()
        unseen_jumped = not self.few and unseen_large and unseen_sure
        other_unit = not self.few and self._has_other_unit()
        moved = shifted or missing_changed or unseen_jumped or other_unit
        return DriftFinding(
            column=self.name,
            status="undecidable"
            if self.few or (shift is None and not moved)
            else "moved"
            if moved
            else "quiet",
            rows=self.now.rows,
            psi=None if shift is None else shift.psi,
            critical=None if shift is None else self._critical(shift),
            usual=_reaches(self.usual.shift),
            ks=None if shift is None else shift.ks,
            js=None if shift is None else shift.js,
            wasserstein=None if shift is None else shift.wasserstein,
            missing_then=self.missing[0],
            missing_now=self.missing[1],
            unseen_now=unseen,
            shifted=shifted,
            missing_changed=missing_changed,
            unseen_jumped=unseen_jumped,
            other_unit=other_unit,
            effect=not self.few and (large or more_missing or unseen_large),
            shift_evidence=self._shift_evidence(),
            fault_evidence=CERTAIN if other_unit else self._fault_evidence(unseen),
            sentence=self._sentence((shifted, missing_changed, unseen_jumped, other_unit)),
        )

    def _critical(self, shift: Shift) -> float:
        return psi_critical(shift.bins, *shift.rows, self.alpha)

    def _shift_evidence(self) -> EValues:
        """Against: log PSI has at most the mean of usual windows, or of an effect that does not matter."""
        if self.shift is None:
            return NO_EVIDENCE
        mean, spread = log_psi(self.effect), 0.0
        if self.usual.shift is not None:
            mean, spread = max(mean, self.usual.shift.mean), self.usual.shift.deviation
        bound, chance = math.exp(mean) - PSI_FLOOR, self.shift.chance
        # PSI of drawn rows is about non-central chi-square, here taken at the bound.
        drawn = chance * math.sqrt(2 * (self.shift.bins - 1) + 4 * bound / chance) / (bound + PSI_FLOOR)
        return normal_e_values(log_psi(self.shift.psi) - mean, math.hypot(spread, drawn))

    def _fault_evidence(self, unseen: float) -> EValues:
        """Of missing values and of unseen levels."""
        if self.few:
            return NO_EVIDENCE
        missing = _share_evidence(
            self.missing[1], self.missing[0] + MISSING_EFFECT, self.now.rows, self.usual.missing
        )
        if not isinstance(self.bins, CategoryBins):
            return missing
        values = self.now.rows - self.now.missing
        levels = _share_evidence(unseen, self.bins.novelty + UNSEEN_EFFECT, values, self.usual.unseen)
        return mean_evidence((missing, levels))

    def _missing_is_sure(self) -> bool:
        rows = (max(1, self.then.rows), max(1, self.now.rows))
        sure = two_proportions((self.then.missing, self.now.missing), rows) < self.alpha
        more = self.missing[1] > self.missing[0]
        return sure and not (more and _is_usual(angle(self.missing[1]), self.usual.missing))

    def _unseen(self) -> tuple[float, bool, bool]:
        """Share of unseen levels, whether it matters, and whether it is neither chance nor usual."""
        if not isinstance(self.now, CategoryProfile) or not isinstance(self.bins, CategoryBins):
            return 0.0, False, False
        rows = max(1, self.now.rows - self.now.missing)
        before = max(1, self.then.rows - self.then.missing)
        share, novelty = self.now.unseen / rows, self.bins.novelty
        sure = two_proportions((round(novelty * before), self.now.unseen), (before, rows)) < self.alpha
        usual = _is_usual(angle(share), self.usual.unseen)
        return share, share - novelty >= UNSEEN_EFFECT, sure and share > novelty and not usual

    def _has_other_unit(self) -> bool:
        """No season takes most values of a column a whole range beyond its range."""
        if not isinstance(self.now, NumericProfile) or not isinstance(self.then, NumericProfile):
            return False
        assert isinstance(self.bins, NumericBins)
        mean, low, high = self.now.mean(self.bins), self.then.least, self.then.greatest
        if mean is None or low is None or high is None or low == high:
            return False
        values = self.now.rows - self.now.missing
        outside = max(self.now.below, self.now.above) > values / 2
        return values >= LEAST_ROWS and outside and not low - (high - low) <= mean <= high + (high - low)

    def _sentence(self, found: tuple[bool, bool, bool, bool]) -> str:
        now, parts = self.now, []
        if self.few:
            few = min(self.then.rows, now.rows)
            return f"{self.name}: {few} rows are too few to judge; {LEAST_ROWS} are needed."
        if found[1]:
            before, after = self.missing
            parts.append(f"{after:.1%} of the values are missing, {before:.1%} in the reference")
        if found[2] and isinstance(now, CategoryProfile):
            parts.append(
                f"{now.unseen / (now.rows - now.missing):.1%} of the values are levels never seen before"
            )
        if found[3]:
            parts.append("most values lie far outside of all that the reference has, as with another unit")
        if self.shift is None:
            parts.append("too few values to compare their distribution")
        elif found[0] or not parts:  # where the input is broken, a distribution that holds is no news
            parts.append(self._shift_in_words(self.shift, found[0]))
        return f"{self.name}: {'; '.join(parts)}."

    def _shift_in_words(self, shift: Shift, moved: bool) -> str:
        unsure = shift.psi >= self.effect
        is_usual = unsure and _is_usual(log_psi(shift.psi), self.usual.shift)
        doubt = (
            "is as far off as windows usually are"
            if is_usual
            else "may have moved, but these rows cannot tell"
        )
        said = "moved" if moved else doubt if unsure else "holds"
        reach = _reaches(self.usual.shift)
        usual = "" if reach is None else f", usual windows reach {reach:.2f}"
        where = self._direction() if moved else ""
        return (
            f"the distribution {said}: PSI {shift.psi:.2f}, limit {self.effect:.2f}, "
            f"chance alone reaches {self._critical(shift):.2f}{usual}{where}"
        )

    def _direction(self) -> str:
        """In which direction the column moved."""
        then, now, bins = self.then, self.now, self.bins
        if (
            isinstance(bins, NumericBins)
            and isinstance(then, NumericProfile)
            and isinstance(now, NumericProfile)
        ):
            before, after = then.mean(bins), now.mean(bins)
            return "" if before is None or after is None else f" (mean {before:.4g} then, {after:.4g} now)"
        if isinstance(bins, CategoryBins) and bins.levels:
            assert isinstance(then, CategoryProfile)
            assert isinstance(now, CategoryProfile)
            share = [each.counts / max(1, each.rows - each.missing) for each in (then, now)]
            level = int(np.argmax(np.abs(share[1] - share[0])))
            return f" ({bins.levels[level]}: {share[0][level]:.1%} then, {share[1][level]:.1%} now)"
        return ""


def _is_usual(figure: float, usual: Baseline | None) -> bool:
    return usual is not None and figure <= usual.mean + _UNUSUAL * usual.deviation


def _reaches(usual: Baseline | None) -> float | None:
    """The PSI that windows of the reference exceed once in twenty."""
    return None if usual is None else math.exp(usual.mean + _UNUSUAL * usual.deviation) - PSI_FLOOR


def _share_evidence(share: float, tolerated: float, rows: int, usual: Baseline | None) -> EValues:
    """E-values against: the share is at most what is tolerated, or at most what is usual."""
    if rows < LEAST_ROWS:
        return NO_EVIDENCE
    mean, spread = angle(tolerated), 0.0
    if usual is not None:
        mean, spread = max(mean, usual.mean), usual.deviation
    return normal_e_values(angle(share) - mean, math.hypot(spread, 1 / (2 * math.sqrt(rows))))
