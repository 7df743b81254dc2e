"""Units that are held out: they get the answer that one would give without a model, and show what would happen so.

A unit's place is a hash of the project and the unit, apart from the routing's: it is the same under every plan, so that
who is held out stays so while versions come and go, and a larger share only adds units.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vitok.charter.answers import Holdout
from vitok.release.route import position

HELD_OUT = "holdout"  # the action that the journal has of such rows
REASON = "held out: answered as without a model"


def is_held_out(holdout: Holdout | None, unit: str) -> bool:
    """Whether a unit is held out.

    >>> from vitok.charter.answers import Answer
    >>> held = Holdout(0.3, Answer(False, False), "flights")
    >>> [is_held_out(held, unit) for unit in ("N14228", "N24211", "N619AA", "N804JB")]
    [True, True, False, False]
    """
    return holdout is not None and position(_salt(holdout), unit) < holdout.share


def held_out(holdout: Holdout | None, units: Sequence[str]) -> npt.NDArray[np.bool_]:
    """For each unit whether it is held out, shape (n,); `is_held_out` for many."""
    if holdout is None:
        return np.zeros(len(units), dtype=np.bool_)
    salt = _salt(holdout)
    places = np.fromiter((position(salt, unit) for unit in units), dtype=np.float64, count=len(units))
    return places < holdout.share


def _salt(holdout: Holdout) -> str:
    """Another one than any plan's, so that who is held out says nothing of the version that a unit is dealt."""
    return f"{holdout.project}\0{HELD_OUT}"
