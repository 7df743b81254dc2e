"""Routing: which version answers which unit, as a pure function of plan, unit and row.

A unit's place in [0, 1) is a hash of the plan's salt and the unit, so it does not move during a roll-out. Challengers
take the low end and the champion the rest: when a challenger's share is raised, units only ever move from the champion
to it. An arm that is limited to some rows leaves the others of its units to the champion.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from vitok.charter.predicates import Condition
from vitok.release.plan import Arm, Plan


def position(salt: str, unit: str) -> float:
    """A unit's fixed place in [0, 1).

    >>> position("flights", "N14228") == position("flights", "N14228")
    True
    """
    content = f"{salt}\0{unit}".encode("utf-8", "surrogatepass")
    # The top 53 of 64 bits: the largest numbers that a float holds exactly, so the place stays below 1.
    return (int.from_bytes(blake2b(content, digest_size=8).digest(), "big") >> 11) * 2.0**-53


def route(plan: Plan, unit: str, fits: Callable[[Condition], bool]) -> Arm:
    """The arm that answers a row.

    Args:
        fits: Whether the row meets a condition.
    """
    live = plan.live
    if len(live) == 1:
        return live[0]
    arm = live[bisect_right(_bounds(live), position(_salt(plan), unit))]
    return arm if arm.when is None or fits(arm.when) else live[-1]


def route_many(
    plan: Plan, units: Sequence[str], fits: Callable[[Condition], npt.NDArray[np.bool_]]
) -> npt.NDArray[np.intp]:
    """For each row the index into `plan.arms` of the arm that answers it; `route` for many rows.

    Args:
        units: Of the rows, shape (n,).
        fits: For each row whether it meets a condition, shape (n,).
    """
    live = plan.live
    places = np.array([plan.arms.index(arm) for arm in live], dtype=np.intp)
    if len(live) == 1:
        return np.full(len(units), places[0])
    salt = _salt(plan)
    positions = np.fromiter((position(salt, unit) for unit in units), dtype=np.float64, count=len(units))
    chosen = np.searchsorted(np.array(_bounds(live)), positions, side="right")
    for number, arm in enumerate(live):
        if arm.when is not None:
            chosen[(chosen == number) & ~fits(arm.when)] = len(live) - 1
    return places[chosen]


def _salt(plan: Plan) -> str:
    return plan.salt or plan.project


def _bounds(live: Sequence[Arm]) -> list[float]:
    """Where each arm's interval ends; the champion's, the last, is open to 1 whatever the rounding."""
    return list(accumulate(arm.share for arm in live[:-1]))
