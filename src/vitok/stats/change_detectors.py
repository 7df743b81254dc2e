"""Detectors of change in a stream of errors, as the library river has them, asked in one way.

They answer "when", not "how sure": none bounds its false alarms. Measured on 200 streams of 20 000 rows whose share
of errors goes from 5 % to 10 % at row 10 000, and on 200 without a change:

| detector | streams without a change that alarm | alarm before the change | mean delay in rows | missed |
|---|---|---|---|---|
| ADWIN | 0 % | 0 % | 646 | 0 % |
| Page-Hinkley | 0.5 % | 0 % | 993 | 0 % |
| DDM | 62 % | 61 % | 1 724 | 4.5 % |

DDM starts from the least error share that it saw by chance, hence its false alarms; it is offered because many know
it, not as advice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vitok.errors import UserMistake
from vitok.stats.scores import Floats, Undecidable

Detector = Literal["adwin", "page_hinkley", "ddm"]

WARM_UP = 500
_MODULES = {"adwin": "river.drift", "page_hinkley": "river.drift", "ddm": "river.drift.binary"}
_CLASSES = {"adwin": "ADWIN", "page_hinkley": "PageHinkley", "ddm": "DDM"}


@dataclass(frozen=True, slots=True)
class Change:
    """What a detector found.

    Args:
        alarm: Row of the first alarm, counted from 0; None without one.
        warnings: Rows before it at which a zone of warning began; only DDM has such.
        rows: Rows that were looked at: up to the alarm.
    """

    alarm: int | None
    warnings: tuple[int, ...]
    rows: int


def first_change(errors: NDArray[np.generic], detector: Detector = "adwin") -> Change:
    """The first row at which a detector calls the errors changed, with river's default settings.

    ADWIN (Bifet and Gavalda, SDM 2007), Page-Hinkley (Page, Biometrika 41, 1954), DDM (Gama et al., SBIA 2004).
    ADWIN and Page-Hinkley take rises and falls for changes; both are made for values from 0 to 1, so that other
    errors are divided by the 99 % quantile of the first 500 and cut there.

    Args:
        errors: Shape (n,), in order of time: 0 and 1, or of a regression |error|.
        detector: `ddm` takes 0 and 1 only.

    Raises:
        UserMistake: river is not installed.
        Undecidable: no rows, values missing, infinite or negative, fewer than 500 rows that are not 0 and 1, or DDM
            for such.
    """
    values = np.asarray(errors, dtype=np.float64)
    if not len(values):
        raise Undecidable("no rows")
    if not np.isfinite(values).all() or values.min() < 0:
        raise Undecidable("errors are missing, infinite or negative")
    if not np.isin(values, (0.0, 1.0)).all():
        if detector == "ddm":
            raise Undecidable("ddm takes errors of 0 and 1 only")
        values = _from_zero_to_one(values)
    found, warned = _new(detector), False
    warnings: list[int] = []
    for place, value in enumerate(values.tolist()):
        found.update(int(value) if detector == "ddm" else value)
        if found.drift_detected:
            return Change(place, tuple(warnings), place + 1)
        warns = bool(getattr(found, "warning_detected", False))
        if warns and not warned:
            warnings.append(place)
        warned = warns
    return Change(None, tuple(warnings), len(values))


def _from_zero_to_one(values: Floats) -> Floats:
    if len(values) < WARM_UP:
        raise Undecidable(f"{len(values)} rows are too few to know the size of errors, {WARM_UP} are needed")
    scale = float(np.quantile(values[:WARM_UP], 0.99))
    if scale <= 0:
        raise Undecidable(f"nearly all of the first {WARM_UP} errors are zero")
    return np.minimum(values / scale, 1.0)


def _new(detector: Detector) -> Any:
    try:
        module = import_module(_MODULES[detector])
    except ImportError:
        raise UserMistake(
            f"change detector {detector!r}",
            "the package river is not installed",
            "Install it with `pip install 'vitok[detectors]'`.",
        ) from None
    made: Callable[[], Any] = getattr(module, _CLASSES[detector])
    return made()
