"""How much windows differ from each other while nothing is wrong: what a figure of a window is to be measured by.

Rows of one window are no independent draws. The weather of a day is the same for all its rows, Saturdays are unlike
Mondays: every single day is far from the average of two months, and a test that takes rows for independent calls that
a drift, every day. The windows of the reference itself say what is usual.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vitok.stats.bins import Bins, CategoryBins, NumericBins
from vitok.stats.profiles import CategoryProfile, Column, Profile
from vitok.stats.shifts import LEAST_ROWS, shift_of, without

# With fewer windows the upper bound of their spread says nothing any more.
LEAST_WINDOWS = 6
# Chance that the true mean, or the true spread, of windows lies above the bound that is taken for it.
_DOUBT = 0.1
# Added to a PSI before its logarithm: smaller ones are all the same to whoever watches.
PSI_FLOOR = 0.02


@dataclass(frozen=True, slots=True)
class Baseline:
    """Where a figure of windows lies while nothing is wrong.

    Args:
        mean: Upper bound of its mean over windows.
        deviation: Upper bound of its standard deviation.
        windows: How many windows say so.
    """

    mean: float
    deviation: float
    windows: int


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual for one column; None where too few windows of the reference tell it.

    Args:
        shift: Of `log_psi` of its values.
        missing: Of `angle` of the share of missing values.
        unseen: Of `angle` of the share of unseen levels.
    """

    shift: Baseline | None = None
    missing: Baseline | None = None
    unseen: Baseline | None = None


@dataclass(frozen=True, slots=True)
class Variation:
    """What is usual for windows of one length.

    Args:
        seconds: Length of the windows.
        columns: By name.
    """

    seconds: float
    columns: Mapping[str, Usual]

    def to_json(self) -> dict[str, Any]:
        """The variation as JSON values."""
        return {
            "seconds": self.seconds,
            "columns": {name: asdict(each) for name, each in self.columns.items()},
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Variation":
        """Reads it."""
        return Variation(
            float(value["seconds"]),
            {
                name: Usual(
                    **{kind: None if found is None else Baseline(**found) for kind, found in each.items()}
                )
                for name, each in value["columns"].items()
            },
        )


def log_psi(value: float) -> float:
    """The scale on which PSI of windows is about normal."""
    return math.log(value + PSI_FLOOR)


def angle(share: float) -> float:
    """The scale on which a share has the standard error 1 / (2 root n), whatever it is (Anscombe 1948)."""
    return math.asin(math.sqrt(min(max(share, 0.0), 1.0)))


def baseline(figures: Sequence[float]) -> Baseline | None:
    """Upper bounds of mean and deviation of a figure, from its values in windows; None of fewer than six.

    An estimated mean would be too low half of the time, and each window of a year would be held against it.

    >>> baseline([1.0, 2.0, 3.0]) is None
    True
    """
    count = len(figures)
    if count < LEAST_WINDOWS:
        return None
    from scipy.special import chdtri, stdtrit  # slow to import

    spread = float(np.std(figures, ddof=1))
    # chdtri(k, q) is exceeded with chance q: the deviation is below its bound in all but `_DOUBT` of cases.
    least = float(chdtri(count - 1, 1 - _DOUBT))
    upper = spread * math.sqrt((count - 1) / least)
    mean = float(np.mean(figures)) + float(stdtrit(count - 1, 1 - _DOUBT)) * spread / math.sqrt(count)
    return Baseline(mean, upper, count)


def variation(whole: Profile, windows: Sequence[Profile], bins: Bins, seconds: float) -> Variation:
    """What is usual for windows, each held against the reference without it.

    Args:
        whole: Profile of the reference.
        windows: Profiles of its windows; together they need not be all of it.
        bins: Of all these profiles.
        seconds: Length of a window.
    """
    columns = {}
    for name, each in bins.items():
        parts = [window.columns[name] for window in windows if window.columns[name].rows >= LEAST_ROWS]
        columns[name] = _usual(whole.columns[name], parts, each)
    return Variation(seconds, columns)


def _usual(whole: Column, parts: Sequence[Column], bins: NumericBins | CategoryBins) -> Usual:
    shifts = [shift_of(without(whole, part), part) for part in parts]
    unseen = None
    if isinstance(bins, CategoryBins):
        unseen = baseline([angle(new_share(whole, part)) for part in parts])
    return Usual(
        shift=baseline([log_psi(shift.psi) for shift in shifts if shift is not None]),
        missing=baseline([angle(part.missing / part.rows) for part in parts]),
        unseen=unseen,
    )


def new_share(whole: Column, part: Column) -> float:
    """Share of a window's values whose level the rest of the reference lacks, by the counted levels."""
    assert isinstance(whole, CategoryProfile)
    assert isinstance(part, CategoryProfile)
    values = part.rows - part.missing
    alone = part.counts[whole.counts == part.counts].sum()
    return 0.0 if values == 0 else float(alone + part.unseen) / values
