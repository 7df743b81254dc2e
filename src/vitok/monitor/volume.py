"""How many predictions and outcomes a window has, against what is usual for its weekday and hour.

Nothing is as fresh as it looks if nothing comes any more: a window without rows has no drift and no quality, but far
fewer rows than such windows have. Counts are compared on the log scale with the same windows of up to eight weeks
before; half or twice as many are no news, and how much counts scatter beyond that is learned from the past.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from vitok.stats.edetectors import EValues, normal_e_values
from vitok.stats.scores import Floats
from vitok.stats.variation import baseline

PREDICTIONS, OUTCOMES = "predictions", "outcomes"
_WEEK, _HOUR = timedelta(days=7), timedelta(hours=1)
_WEEKS, _PERIODS = 8, 26
# Windows that usually have fewer rows tell nothing by being empty.
LEAST_USUAL = 20
_LEAST_SEASONS = 2
_TOLERATED = math.log(2)
# An outage in the past is no reason to expect the next one: further off than so many deviations all counts are alike.
_CLIPPED = 3 * 1.4826
_CALM: EValues = (0.0,) * len(normal_e_values(0.0, 1.0))


@dataclass(frozen=True, slots=True)
class VolumeFinding:
    """A count of a window against what is usual.

    Args:
        what: `predictions` or `outcomes`.
        count: Of the window.
        usual: Of such windows; None where too few are known.
        evidence: By direction, `fewer` and `more`: e-values against "no less than half, no more than twice the usual".
        sentence: The finding in words.
    """

    what: str
    count: int
    usual: float | None
    evidence: Mapping[str, EValues]
    sentence: str

    @property
    def members(self) -> dict[str, EValues]:
        """The e-values by what they speak of, such as `fewer predictions`."""
        return {f"{direction} {self.what}": each for direction, each in self.evidence.items()}

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON values, without the e-values, which detectors have taken up."""
        return {"what": self.what, "count": self.count, "usual": self.usual, "sentence": self.sentence}


@dataclass(frozen=True, slots=True)
class _Usual:
    """What is usual for a window: at least and at most, and by how much counts scatter on the log scale."""

    least: float
    most: float
    spread: float


def memory(width: timedelta) -> timedelta:
    """How far back counts of windows of this length are looked at."""
    return max((_WEEKS + 1) * _WEEK, _PERIODS * width)


def volume_finding(
    what: str, count: int, past: Mapping[datetime, int], start: datetime, width: timedelta
) -> VolumeFinding:
    """Judges a count.

    Args:
        what: `predictions` or `outcomes`.
        count: Of the window that begins at `start`.
        past: Counts of windows before by their start; those that are missing after the first one were empty.
        width: Length of the windows.
    """
    usual = _usual(past, start, width)
    if usual is None:
        # An alarm on an outage longer than all memory ends when rows come again.
        back = {"fewer": _CALM} if count >= LEAST_USUAL else {}
        return VolumeFinding(what, count, None, back, f"{what}: {count}, and what is usual is not known yet.")
    middle = math.sqrt(usual.least * usual.most)
    now, evidence = _log(count), {}
    for direction, excess, expected in (
        ("fewer", _log(usual.least) - now, usual.least),
        ("more", now - _log(usual.most), usual.most),
    ):
        deviation = math.hypot(usual.spread, 1 / math.sqrt(max(expected, 1.0)))
        # A window within what is tolerated ends the alarm: an e-value may always be taken smaller.
        calm = excess <= _TOLERATED
        evidence[direction] = _CALM if calm else normal_e_values(excess - _TOLERATED, deviation)
    season = "windows of this weekday and hour" if width < _WEEK else "windows"
    said = "none" if count == 0 else str(count)
    return VolumeFinding(
        what, count, middle, evidence, f"{what}: {said}, usual for {season} are about {middle:.0f}."
    )


def _usual(past: Mapping[datetime, int], start: datetime, width: timedelta) -> _Usual | None:
    """None where fewer than two such windows are known, or they are usually nearly empty."""
    counts = _by_season(past, start, width)
    near = int(_HOUR / width)  # a clock that is set forward or back moves the day by an hour
    places = np.arange(-near, near + 1) % counts.shape[1]
    latest = counts[:_WEEKS]
    if np.count_nonzero(np.isfinite(latest[:, 0])) < _LEAST_SEASONS:
        return None
    middle = _medians(latest[:, places])
    least, most = float(np.nanmin(middle)), float(np.nanmax(middle))
    if middle[near] < LEAST_USUAL:
        return None
    spread = baseline(_residuals(counts).tolist())
    return None if spread is None else _Usual(least, most, spread.deviation)


def _by_season(past: Mapping[datetime, int], start: datetime, width: timedelta) -> Floats:
    """Shape (weeks, windows of a week): the first column is of windows like this one, the latest first; NaN before all.

    Windows that divide no week have no season: each is like the others.
    """
    first = min(past, default=start)
    slots = _WEEK // width if width < _WEEK and not _WEEK % width else 1
    weeks = _WEEKS + 1 if slots > 1 else _PERIODS
    found = np.full((weeks, slots), np.nan)
    for week in range(weeks):
        for slot in range(slots):
            moment = start - (week + 1) * slots * width + slot * width
            if moment >= first:
                found[week, slot] = past.get(moment, 0)
    return found


def _residuals(counts: Floats) -> Floats:
    """How far windows were from the median of the weeks before them, on the log scale."""
    found = []
    for week in range(len(counts) - 1):
        before = _medians(counts[week + 1 :])
        judged = (before >= LEAST_USUAL) & np.isfinite(counts[week])
        found.append(np.log(counts[week][judged] + 0.5) - np.log(before[judged] + 0.5))
    gaps = np.concatenate(found)
    if not len(gaps):
        return gaps
    reach = max(_CLIPPED * float(np.median(np.abs(gaps))), _TOLERATED)
    return np.asarray(np.clip(gaps, -reach, reach))


def _medians(counts: Floats) -> Floats:
    """Of each column, NaN where nothing is known."""
    known = np.count_nonzero(np.isfinite(counts), axis=0)
    ranked = np.sort(counts, axis=0)  # what is not known comes last
    low, high = np.maximum(known - 1, 0) // 2, known // 2 * (known > 0)
    columns = np.arange(counts.shape[1])
    return np.asarray((ranked[low, columns] + ranked[np.where(known % 2, low, high), columns]) / 2)


def _log(count: float) -> float:
    return math.log(count + 0.5)
