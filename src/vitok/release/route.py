"""Routing: which version answers which unit, as a pure function of plan and unit.

A unit's place in [0, 1) is a hash of project and unit, so it never moves. Challengers take the low end and
the champion the rest: when a challenger's share is raised, units only ever move from the champion to it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from vitok.release.plan import Arm, Plan


def position(project: str, unit: str) -> float:
    """A unit's fixed place in [0, 1).

    >>> position("flights", "N14228") == position("flights", "N14228")
    True
    """
    content = f"{project}\0{unit}".encode("utf-8", "surrogatepass")
    # The top 53 of 64 bits: the largest numbers that a float holds exactly, so the place stays below 1.
    return (int.from_bytes(blake2b(content, digest_size=8).digest(), "big") >> 11) * 2.0**-53


def route(plan: Plan, unit: str) -> Arm:
    """The arm that answers a unit."""
    live = plan.live
    if len(live) == 1:
        return live[0]
    return live[bisect_right(_bounds(live), position(plan.project, unit))]


def route_many(plan: Plan, units: Sequence[str]) -> npt.NDArray[np.intp]:
    """For each unit the index into `plan.arms` of the arm that answers it; `route` for many units."""
    live = plan.live
    places = np.array([plan.arms.index(arm) for arm in live], dtype=np.intp)
    if len(live) == 1:
        return np.full(len(units), places[0])
    positions = np.fromiter(
        (position(plan.project, unit) for unit in units), dtype=np.float64, count=len(units)
    )
    return places[np.searchsorted(np.array(_bounds(live)), positions, side="right")]


def _bounds(live: Sequence[Arm]) -> list[float]:
    """Where each arm's interval ends; the champion's, the last, is open to 1 whatever the rounding."""
    return list(accumulate(arm.share for arm in live[:-1]))
