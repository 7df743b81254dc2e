"""Which retraining policy to choose: what each is worth against leaving the model alone, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

_WEEKS_A_YEAR = 365.25 / 7
_BLOCK = 4  # weeks that are drawn together, because neighbouring weeks are alike
_DRAWS = 4000
_LEVEL = 0.90
_FEWEST = 8  # weeks from which on an interval means something


@dataclass(frozen=True, slots=True)
class Worth:
    """What a policy is worth a year beside another.

    Args:
        value: Money a year more than the other; of the metric, if there are no costs, the mean difference.
        low, high: 90 % interval by a moving-block bootstrap over weeks; None with fewer than eight weeks.
        weeks: How many it rests on.
    """

    value: float
    low: float | None
    high: float | None
    weeks: int

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return asdict(self)


def worth(policy: Mapping[str, float], other: Mapping[str, float], *, money: bool, seed: int = 0) -> Worth:
    """Compares two policies week by week, on the same weeks.

    The interval is that of a moving-block bootstrap (Kuensch 1989) with blocks of four weeks, so that a season which
    was good for one of them counts once and not as often as it has weeks.

    Args:
        policy, other: Money, or the metric, of each week.
        money: Whether weeks add up to a year.
    """
    weeks = sorted(policy.keys() & other.keys())
    found = np.array([policy[week] - other[week] for week in weeks])
    scale = _WEEKS_A_YEAR if money else 1.0
    mean = float(found.mean()) * scale if len(found) else 0.0
    if len(found) < _FEWEST:
        return Worth(mean, None, None, len(found))
    rng, count = np.random.default_rng(seed), -(-len(found) // _BLOCK)
    starts = rng.integers(0, len(found) - _BLOCK + 1, (_DRAWS, count))
    drawn = found[starts[:, :, None] + np.arange(_BLOCK)].reshape(_DRAWS, -1)[:, : len(found)]
    low, high = np.quantile(drawn.mean(axis=1) * scale, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Worth(mean, float(low), float(high), len(found))


@dataclass(frozen=True, slots=True)
class Tried:
    """One policy as a replay has shown it.

    Args:
        weeks: Money, or the metric, of each week by its start.
        turns: How many it took.
    """

    name: str
    weeks: Mapping[str, float]
    turns: int


@dataclass(frozen=True, slots=True)
class Advice:
    """Which policy to choose.

    Args:
        policy: The one with the fewest turns among those that are not surely worse than the best.
        best: The one that did best.
        base: The one that the others are compared with.
        worth: Of each policy beside the base.
        share: Part of the best one's gain that the chosen one reaches; None if the best gains nothing.
        sentence: The advice in words.
    """

    policy: str
    best: str
    base: str
    worth: dict[str, Worth]
    share: float | None
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """The advice as JSON values."""
        return {**asdict(self), "worth": {name: each.as_json() for name, each in self.worth.items()}}


def recommend(tried: Sequence[Tried], *, unit: str, money: bool, seed: int = 0) -> Advice | None:
    """The policy to choose; None if there are not two to compare.

    Args:
        tried: The policies; the others are compared with the one that took the fewest turns.
        unit: What the weeks are counted in, such as `roc_auc`; money has none.
        money: Whether they hold money.
    """
    if len(tried) < 2 or not all(each.weeks for each in tried):
        return None
    base = min(tried, key=lambda each: each.turns)
    found = {
        each.name: worth(each.weeks, base.weeks, money=money, seed=seed) for each in tried if each is not base
    }
    best = max((each for each in tried if each is not base), key=lambda each: found[each.name].value)
    if found[best.name].value <= 0:
        best = base
    close = [each for each in tried if each is best or _is_close(each, best, money=money, seed=seed)]
    chosen = min(close, key=lambda each: (each.turns, each is not best))
    gain = 0.0 if best is base else found[best.name].value
    mine = 0.0 if chosen is base else found[chosen.name].value
    share = mine / gain if gain > 0 else None
    sentence = _sentence(base, best, chosen, found, share, unit, money=money)
    return Advice(chosen.name, best.name, base.name, found, share, sentence)


def _is_close(policy: Tried, best: Tried, *, money: bool, seed: int) -> bool:
    """Whether a policy may be as good as the best one: without enough weeks, only if nothing speaks against it."""
    beside = worth(policy.weeks, best.weeks, money=money, seed=seed)
    return beside.value >= 0 if beside.high is None else beside.high >= 0


def _sentence(
    base: Tried,
    best: Tried,
    chosen: Tried,
    found: Mapping[str, Worth],
    share: float | None,
    unit: str,
    *,
    money: bool,
) -> str:
    if best is base:
        return f"No policy did better than {base.name}, which took {_turns(base)}: keep it."
    top = found[best.name]
    text = f"{best.name} is worth {_figure(top.value, unit, money)} more than {base.name}"
    text += f" ({_interval(top, unit, money)}), with {_turns(best)}"
    if chosen is best:
        others = "; no policy with fewer turns comes near it" if len(found) > 1 else ""
        return f"{text}{others}. Choose {chosen.name}."
    if chosen is base:
        return f"{text}; but that may be chance. Stay with {base.name} ({_turns(base)}) until more weeks are known."
    reached = "" if share is None else f" reaches {share:.0%} of it"
    return f"{text}; {chosen.name}{reached} with {_turns(chosen)}, and is not surely worse. Choose {chosen.name}."


def _figure(value: float, unit: str, money: bool) -> str:
    return f"{value:,.0f} a year" if money else f"{value:+.4f} of {unit}"


def _interval(found: Worth, unit: str, money: bool) -> str:
    if found.low is None or found.high is None:
        return f"{found.weeks} weeks are too few for an interval"
    digits = ",.0f" if money else "+.4f"
    return f"90 % interval {found.low:{digits}} to {found.high:{digits}}"


def _turns(policy: Tried) -> str:
    return f"{policy.turns} turn" + ("" if policy.turns == 1 else "s")
