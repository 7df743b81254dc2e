"""How long a comparison of two arms must run: units, days, and what looking on the way costs."""

import math
from dataclasses import dataclass

import numpy as np

from vitok.stats.group_sequential import LookPlan
from vitok.stats.intervals import normal_quantile
from vitok.stats.scores import Floats
from vitok.stats.sequential import ErrorShare

_NOTHING = 1e-16  # chances that are left out of a walk; ten thousand of them still are nothing


@dataclass(frozen=True, slots=True)
class Demand:
    """What the comparison must be able to tell.

    Args:
        alpha: Chance of calling a difference where there is none.
        power: Chance of finding the smallest difference that matters.
        share: The challenger's share of the units, in (0, 1).
        is_two_sided: Whether a difference either way counts.
    """

    alpha: float = 0.05
    power: float = 0.8
    share: float = 0.5
    is_two_sided: bool = False

    @property
    def quantiles(self) -> tuple[float, float]:
        """Normal quantiles of alpha and of the power."""
        alpha = self.alpha / 2 if self.is_two_sided else self.alpha
        return normal_quantile(1 - alpha), normal_quantile(self.power)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What comes in.

    Args:
        units_per_day: Randomised units a day, both arms together.
        label_delay_days: Days from a unit to its label.
    """

    units_per_day: float
    label_delay_days: float = 0.0


@dataclass(frozen=True, slots=True)
class Design:
    """Units by arm and the days that they take.

    Args:
        champion: Units of the champion.
        challenger: Units of the challenger.
        days: Until the last label is there.
    """

    champion: int
    challenger: int
    days: float

    @property
    def units(self) -> int:
        """Units of both arms."""
        return self.champion + self.challenger


def rates_size(base: float, other: float, demand: Demand) -> float:
    """Units of both arms for a z-test of two rates (Fleiss, Levin & Paik, 2003, section 4.2, uncorrected).

    1 % against 2 % at one-sided 5 % and 80 % power:

    >>> math.ceil(rates_size(0.01, 0.02, Demand()))
    3652

    Raises:
        ValueError: a rate outside [0, 1], or no difference between them.
    """
    if not (0 <= base <= 1 and 0 <= other <= 1) or base == other:
        raise ValueError(f"rates {base} and {other} have no difference that a test could find")
    rho, (z_alpha, z_power) = demand.share, demand.quantiles
    pooled = rho * other + (1 - rho) * base
    null = math.sqrt(pooled * (1 - pooled) * (1 / rho + 1 / (1 - rho)))
    true = math.sqrt(other * (1 - other) / rho + base * (1 - base) / (1 - rho))
    return ((z_alpha * null + z_power * true) / (other - base)) ** 2


def means_size(deviation: float, difference: float, demand: Demand) -> float:
    """Units of both arms for a z-test of two means with one standard deviation.

    Half a standard deviation at two-sided 5 % and 80 % power takes about 63 in each arm:

    >>> math.ceil(means_size(1.0, 0.5, Demand(is_two_sided=True)) / 2)
    63
    """
    if difference == 0 or deviation <= 0:
        raise ValueError(f"a difference of {difference} with a deviation of {deviation} has no sample size")
    factor = 1 / demand.share + 1 / (1 - demand.share)
    return factor * (sum(demand.quantiles) * deviation / difference) ** 2


def rates_design(
    base: float,
    demand: Demand,
    traffic: Traffic,
    *,
    relative: float | None = None,
    absolute: float | None = None,
    looks: LookPlan | None = None,
) -> Design:
    """Design for two rates.

    Args:
        base: The champion's rate.
        demand: What it must tell.
        traffic: What comes in.
        relative: Smallest change that matters, as a share of the base: 0.5 is half as much again, -0.1 a tenth less.
        absolute: The same in units of the rate; give one of the two.
        looks: Where it is looked at on the way; the largest sample is then larger.

    Raises:
        ValueError: both changes or neither are given, or the changed rate is no rate.
    """
    if (relative is None) == (absolute is None):
        raise ValueError("give the smallest change that matters either relative to the base or absolute")
    other = base * (1 + relative) if relative is not None else base + (absolute or 0.0)
    return _design(rates_size(base, other, demand), demand, traffic, looks)


def means_design(
    deviation: float, difference: float, demand: Demand, traffic: Traffic, *, looks: LookPlan | None = None
) -> Design:
    """Design for two means of a value with this standard deviation."""
    return _design(means_size(deviation, difference, demand), demand, traffic, looks)


def _design(units: float, demand: Demand, traffic: Traffic, looks: LookPlan | None) -> Design:
    if looks is not None:
        units *= looks.inflation(demand.power)
    challenger = math.ceil(units * demand.share)
    champion = math.ceil(units * (1 - demand.share))
    days = (champion + challenger) / traffic.units_per_day + traffic.label_delay_days
    return Design(champion, challenger, days)


def stopping_law(test: ErrorShare, ratio: float, share: float, alpha: float, most: int) -> Floats:
    """Chance that the test first reaches 1/alpha at each failing unit, shape (most,); exact, without simulation.

    At a constant share the test depends on the numbers of failing units of either arm only, so that the law of the
    walk on these numbers gives its power and its false alarms.

    Args:
        test: As it is before the first failing unit.
        ratio: The true ratio of the failure rates.
        share: The challenger's share of the traffic.
        alpha: Of the test.
        most: Failing units at most.
    """
    theta = ratio * share / (ratio * share + 1 - share)
    champion, challenger = test.steps(np.array([False, True]), share)
    bar, begin, law = -math.log(alpha), np.array(test.logs), np.zeros(most)
    least, mass = 0, np.ones(1)  # the chance of so many of the challenger (from `least` on), not stopped yet
    for units in range(1, most + 1):
        mass = np.append(mass, 0.0) * (1 - theta) + np.append(0.0, mass) * theta
        alive = np.flatnonzero(mass > _NOTHING)
        if len(alive) == 0:
            break
        mass, least = mass[alive[0] : alive[-1] + 1], least + int(alive[0])
        count = np.arange(least, least + len(mass))[:, None]
        logs = begin + count * challenger + (units - count) * champion
        has_crossed = np.logaddexp.reduce(logs, axis=1) >= bar
        law[units - 1] = mass[has_crossed].sum()
        mass = np.where(has_crossed, 0.0, mass)
    return law


def requests_to_detect(law: Floats, base: float, ratio: float, share: float) -> tuple[float, float]:
    """Mean number of requests until a crossing, for runs that cross, and the chance that a run does.

    Args:
        law: From `stopping_law`.
        base: The champion's failure rate.
        ratio: The challenger's rate over it.
        share: The challenger's share of the traffic.
    """
    chance = float(law.sum())
    if chance == 0:
        return math.inf, 0.0
    failing = float(np.dot(law, np.arange(1, len(law) + 1))) / chance
    return failing / (base * (1 - share + share * ratio)), chance
