"""Which first share and which alpha cost least: the harm of a bad version, against false alarms.

A bad version fails more often, and harms until the test of failures takes it back: requests x share x excess failures
x cost of one. A version that is no worse is taken back with a small chance, and that costs too. Both follow from the
exact law of the test (`vitok.stats.abdesign.stopping_law`), without simulation.
"""

import math
from collections.abc import Iterable

import msgspec
import numpy as np

from vitok.stats.abdesign import stopping_law
from vitok.stats.sequential import ErrorShare

SHARES = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5)
ALPHAS = (0.005, 0.01, 0.02, 0.05, 0.1)
FOUND = 0.8  # chance of finding a bad version in time, below which an offer is none
_MOST = 4000  # failing units that are looked at; a test that has not ended by then hardly ever will


class Stakes(msgspec.Struct, frozen=True):
    """What is at stake in a roll-out.

    Args:
        base: The champion's failure rate.
        ratio: A bad version's rate over it.
        chance: Chance that a version is bad.
        error_cost: Money that one failure costs.
        rollback_cost: Money that a false rollback costs.
        requests: Most units of both arms in the roll-out; None for no limit.
        limits: How many limits share the chance of a false rollback.

    Raises:
        ValueError: a figure is out of its range.
    """

    base: float
    ratio: float
    chance: float
    error_cost: float
    rollback_cost: float
    requests: float | None = None
    limits: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.base < 1 or not 1 < self.ratio <= 1 / self.base:
            raise ValueError(
                f"a version that fails {self.ratio:g} times as often as {self.base:.3%} is no bad version"
            )
        if not 0 < self.chance < 1:
            raise ValueError(f"{self.chance:g} is no chance that a version is bad")
        if not (0 < self.error_cost < math.inf and 0 < self.rollback_cost < math.inf):
            raise ValueError("costs must be above 0: what costs nothing needs no proposal")


class Offer(msgspec.Struct, frozen=True):
    """A first share and an alpha, with what they lead to.

    Args:
        finds: Chance that a bad version is taken back within the roll-out.
        requests: Mean units of both arms until a bad version is taken back, or the roll-out ends.
        harm: Money that a bad version costs until then.
        false_rollback: Chance that a version that is no worse is taken back.
        cost: Money that a version costs on average: harm and false rollbacks, each with its chance.
    """

    share: float
    alpha: float
    finds: float
    requests: float
    harm: float
    false_rollback: float
    cost: float

    @property
    def is_in_time(self) -> bool:
        """Whether it mostly finds a bad version before the roll-out ends."""
        return self.finds >= FOUND


def offers(
    stakes: Stakes, shares: Iterable[float] = SHARES, alphas: Iterable[float] = ALPHAS
) -> tuple[Offer, ...]:
    """Every share with every alpha: those that find a bad version in time first, and the cheapest first."""
    chances = tuple(alphas)
    found = [offer(stakes, share, alpha) for share in shares for alpha in chances]
    return tuple(sorted(found, key=lambda each: (not each.is_in_time, each.cost)))


def offer(stakes: Stakes, share: float, alpha: float) -> Offer:
    """What one share and one alpha lead to, if the share is kept until the test decides."""
    test, part = ErrorShare.against_at_most(), alpha / stakes.limits
    rate = stakes.base * (1 - share + share * stakes.ratio)
    most = _failing(stakes.requests, rate)
    law = stopping_law(test, stakes.ratio, share, part, most)
    finds = float(law.sum())
    failing = float(np.dot(law, np.arange(1, most + 1))) + (1 - finds) * most
    harm = failing / rate * share * stakes.base * (stakes.ratio - 1) * stakes.error_cost
    false = float(stopping_law(test, 1.0, share, part, _failing(stakes.requests, stakes.base)).sum())
    false = min(1.0, stakes.limits * false)
    cost = stakes.chance * harm + (1 - stakes.chance) * false * stakes.rollback_cost
    return Offer(share, alpha, finds, failing / rate, harm, false, cost)


def _failing(requests: float | None, rate: float) -> int:
    """How many failing units so many requests bring."""
    return _MOST if requests is None else max(1, min(_MOST, round(requests * rate)))
