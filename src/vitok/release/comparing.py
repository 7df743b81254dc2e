"""The design of an A/B test: units, days, what looking on the way costs, and what the horizon allows to find."""

import math
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from vitok.stats.abdesign import Demand, means_size, rates_size
from vitok.stats.always_valid import Arms, units_to_find
from vitok.stats.group_sequential import LookPlan

LOOKS = 10
Reading = Literal["always", "looks", "horizon"]


class Question(msgspec.Struct, frozen=True):
    """What a comparison is to tell.

    Args:
        mean: The champion's mean; of a rate its share.
        deviation: Standard deviation of a unit's value; None for a rate.
        effect: Smallest difference worth acting on, in units of the mean; above 0.
        span: Most less least value of a unit.
        share: The new version's share of the units.
        alpha: Chance of calling a difference where there is none, both ways together.
        power: Chance of finding the effect.
        units_per_day: Units of both arms a day.
        horizon_days: How long it lasts.
        delay_days: From a unit to the outcome that counts.
        reading: How it is read.

    Raises:
        ValueError: a figure is out of its range.
    """

    mean: float
    deviation: float | None
    effect: float
    span: float
    share: float
    alpha: float
    power: float
    units_per_day: float
    horizon_days: float
    delay_days: float
    reading: Reading

    def __post_init__(self) -> None:
        figures = (self.mean, self.deviation or 0.0, self.effect, self.units_per_day, self.horizon_days)
        if not all(map(math.isfinite, figures)) or self.effect <= 0 or self.units_per_day <= 0:
            raise ValueError("effect and traffic must be above 0")
        if self.deviation is None and not 0 < self.mean < 1:
            raise ValueError(f"a rate of {self.mean:g} leaves nothing to compare")
        if self.deviation is None and self.mean + self.effect >= 1:
            raise ValueError(f"{self.mean:.1%} and {self.effect:.1%} more is no rate below 100 %")
        if self.deviation is not None and self.deviation <= 0:
            raise ValueError("units that all have the same value show no chance variation")
        if not 0 < self.share < 1 or not 0 < self.alpha < 1 or not self.alpha < self.power < 1:
            raise ValueError(
                "share, alpha and power are shares above 0 % and below 100 %, and power is above alpha"
            )

    @property
    def is_rate(self) -> bool:
        """Whether each unit either has it or not."""
        return self.deviation is None

    @property
    def demand(self) -> Demand:
        """What the test must tell."""
        return Demand(self.alpha, self.power, self.share, is_two_sided=True)

    @property
    def counted_days(self) -> float:
        """Days whose units have their outcome before the end."""
        return max(0.0, self.horizon_days - self.delay_days)

    def size(self, effect: float) -> float:
        """Units of both arms that one test at the end needs for an effect."""
        if self.deviation is not None:
            return means_size(self.deviation, effect, self.demand)
        return rates_size(self.mean, self.mean + effect, self.demand)


class Way(msgspec.Struct, frozen=True):
    """One way of reading, and what it needs.

    Args:
        champion, challenger: Units of each arm by which it finds the effect with the wanted power.
        days: Until their outcomes are there.
        inflation: These units over those of one test at the end.
        mean_units: Mean units of both arms until it ends, if the effect is what it is.
        mean_days: The same in days.
    """

    champion: int
    challenger: int
    days: float
    inflation: float
    mean_units: int
    mean_days: float


class Design(msgspec.Struct, frozen=True):
    """A whole design.

    Args:
        horizon: One test at the end.
        always: Looked at after every unit, ended at a decision.
        looks: Looked at a few times (O'Brien and Fleming), ended at a decision.
        chosen: As the charter wants it read.
        smallest: The smallest effect that the horizon allows to find; None where no outcome comes in time.
    """

    horizon: Way
    always: Way
    looks: Way
    chosen: Way
    smallest: float | None


def design(question: Question) -> Design:
    """Units and days of a comparison, for three ways of reading it."""
    once = question.size(question.effect)
    horizon = _way(question, once, 1.0, once)
    always = _always(question, once)
    looks = _looks(question, once)
    chosen = {"always": always, "looks": looks, "horizon": horizon}[question.reading]
    return Design(horizon, always, looks, chosen, _smallest(question, chosen.inflation))


def _way(question: Question, once: float, inflation: float, mean: float) -> Way:
    units = once * inflation
    champion, challenger = (math.ceil(units * part) for part in (1 - question.share, question.share))
    days = (champion + challenger) / question.units_per_day + question.delay_days
    mean_days = mean / question.units_per_day + question.delay_days
    return Way(champion, challenger, days, inflation, math.ceil(mean), mean_days)


def _always(question: Question, once: float) -> Way:
    """The betting test, with half of alpha to each side."""
    old = new = question.deviation or 0.0
    if question.is_rate:
        old, new = (math.sqrt(rate * (1 - rate)) for rate in (question.mean, question.mean + question.effect))
    arms = Arms(question.effect, old, new, question.share, question.span)
    found = units_to_find(arms, question.alpha / 2, question.power, once)
    return _way(question, once, found.enough / once, found.mean)


def _looks(question: Question, once: float) -> Way:
    plan = LookPlan.even(LOOKS, question.alpha / 2)
    inflation = plan.inflation(question.power)
    drift = math.sqrt(inflation) * sum(question.demand.quantiles)
    return _way(question, once, inflation, once * inflation * plan.expected_share(drift))


def _smallest(question: Question, inflation: float) -> float | None:
    """The effect whose size is what the horizon brings, by bisection."""
    units = question.counted_days * question.units_per_day
    if units < 2:
        return None
    most = 1 - question.mean if question.is_rate else question.span
    return _falling_to(lambda effect: question.size(effect) * inflation, units, most * (1 - 1e-9))


def _falling_to(size: Callable[[float], float], units: float, most: float) -> float | None:
    """Where a falling function takes a value; None if it never gets so low."""
    if size(most) > units:
        return None
    low, high = 0.0, most
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if size(middle) > units else (low, middle)
    return high


def warnings(question: Question, found: Design) -> list[str]:
    """What is wrong with a horizon, a delay or a share."""
    said = []
    days = question.horizon_days
    if question.counted_days == 0:
        said.append(
            f"Outcomes count after {question.delay_days:g} days and the test lasts {days:g}: not one is due in time. "
            f"Take a horizon of at least {math.ceil(found.chosen.days)} days."
        )
    elif found.chosen.days > days:
        least = (
            "no effect at all"
            if found.smallest is None
            else f"only effects of {told(question, found.smallest)}"
        )
        said.append(
            f"The horizon of {days:g} days is too short: the effect takes {found.chosen.days:,.0f} days. "
            f"In {days:g} days {least} can be found with {question.power:.0%} power. "
            f"In whole weeks it takes {7 * math.ceil(found.chosen.days / 7)} days."
        )
    if question.counted_days and question.delay_days >= 0.25 * days:
        said.append(
            f"Outcomes count after {question.delay_days:g} days: units count on {question.counted_days:g} "
            f"of {days:g} days only."
        )
    if days % 7:
        weeks = max(1, math.ceil(days / 7))
        said.append(
            f"{days:g} days are not whole weeks: some days of the week weigh more. Take {7 * weeks} days."
        )
    return said


def told(question: Question, difference: float) -> str:
    """A difference in words: of a rate in percentage points and relative to the champion's, else as a number."""
    if not question.is_rate:
        return f"{difference:.4g}"
    return f"{100 * difference:.3g} percentage points ({difference / question.mean:.1%} of the champion's)"


def as_json(found: Design) -> dict[str, Any]:
    """The design as JSON values."""
    content: dict[str, Any] = msgspec.to_builtins(found)
    return content
