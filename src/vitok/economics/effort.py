"""Go on, stop, or change approach: what a curve of value over effort says, and how sure that is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vitok.stats.shapes import SHAPES, Fit

Recommendation = Literal["go on", "stop", "change approach"]
AHEAD = 0.2  # share of the effort so far that is looked ahead: no curve is asked about more
_REGAIN = 1.5  # times the effort so far: a fall that takes longer to make good is not waited for
_LEVEL = 1.02  # the plateau counts as reached within the grid's width of the last point


@dataclass(frozen=True, slots=True)
class Rule:
    """What the next fifth of the effort must bring.

    Args:
        kind: `money`: what it costs, by the value of the decisions; `noise`: what can be told from chance.
        needed: That gain, in the metric's units.
        noise: Half-width of the metric's interval at the last verdict.
        is_met: Whether the best version so far was accepted.
    """

    kind: Literal["money", "noise"]
    needed: float
    noise: float
    is_met: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What one curve says.

    Args:
        gain: Of the next fifth of the effort.
        until: The effort to go on to, or up to which another attempt may be funded (a gate); None where there is none.
    """

    recommendation: Recommendation
    gain: float
    until: float | None


@dataclass(frozen=True, slots=True)
class Advice:
    """The decision of the most likely curve, and how many others share it.

    Args:
        weight: Akaike weight of the shapes that give the same recommendation.
        agreement: Share of the bootstrap refits that give the same recommendation.
    """

    decision: Decision
    weight: float
    agreement: float

    @property
    def is_firm(self) -> bool:
        """Whether most of the weight and most refits agree."""
        return self.weight >= 0.5 and self.agreement >= 0.5


def decide(fit: Fit, first: float, rule: Rule) -> Decision:
    """What one fitted curve says.

    Marginal value against marginal cost: the next fifth of the effort must bring what the rule needs. A step brings
    nothing more once it is taken; another one is funded up to a gate, the effort that the first took. A fall (U) or
    a delay is waited for until the curve's own point, if that is near.

    Args:
        first: Effort of the first point.
    """
    span = fit.span
    gain, gained = (
        float(np.diff(fit.at(np.array(ends)))[0]) for ends in ([span, (1 + AHEAD) * span], [first, span])
    )
    enough: Recommendation = "stop" if rule.is_met or gained >= rule.noise else "change approach"
    moved = float(np.ptp(fit.at(np.linspace(first, span, 50))))
    if moved < rule.noise and gain < rule.needed:  # ups and downs within the noise have no shape to go by
        return Decision(enough, gain, None)
    if fit.shape == "step":
        return Decision(enough, gain, span * (1 + fit.theta[0]))
    if fit.shape == "delayed step" and sum(fit.theta) > _LEVEL and fit.rise > 0:
        return Decision("go on", gain, span * sum(fit.theta))
    if fit.shape == "U":
        regained = 2 * fit.theta[0] * span - first  # a parabola is as high there as at the first point
        if regained > span:
            near = regained <= _REGAIN * span
            return Decision("go on" if near else "change approach", gain, regained if near else None)
    return Decision("go on" if gain >= rule.needed and gain > 0 else enough, gain, None)


def advise(fits: Sequence[Fit], refitted: Sequence[Fit], first: float, rule: Rule) -> Advice:
    """The advice of the most likely shape with its uncertainty.

    Args:
        fits: All shapes with their Akaike weights, the most likely first.
        refitted: The most likely shape of each bootstrap sample.
        first: Effort of the first point.
    """
    decision = decide(fits[0], first, rule)
    same = decision.recommendation
    weight = sum(fit.weight for fit in fits if fit.weight and decide(fit, first, rule).recommendation == same)
    votes = [decide(fit, first, rule).recommendation == same for fit in refitted]
    return Advice(decision, float(weight), float(np.mean(votes)))


def sentence(advice: Advice, fit: Fit, rule: Rule, metric: str, effort: Callable[[float], str]) -> str:
    """The advice in one sentence, with its uncertainty.

    Args:
        fit: The most likely curve.
        effort: Writes an effort with its unit.
    """
    decision = advice.decision
    head = {"go on": "Go on", "stop": "Stop", "change approach": "Change the approach"}
    start = head[decision.recommendation]
    if not advice.is_firm:
        start = f"Undecided, leaning to {decision.recommendation!r}"
    ahead = effort(AHEAD * fit.span)
    against = (
        f"{rule.needed:.2g} that would pay for it"
        if rule.kind == "money"
        else f"{rule.needed:.2g} that is its noise"
    )
    return (
        f"{start}: {metric} over effort looks like {SHAPES[fit.shape].meaning} ({fit.shape}, weight {fit.weight:.2f}), "
        f"and the next {AHEAD:.0%} of effort ({ahead}) should improve it by {_short(decision.gain)} "
        f"against the {against}{_until(decision, fit, effort)}; "
        f"shapes with {advice.weight:.0%} of the weight and {advice.agreement:.0%} of the refits say the same."
    )


def _short(figure: float) -> str:
    """Two figures that count; whole numbers from a hundred on."""
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.2g}"


def _until(decision: Decision, fit: Fit, effort: Callable[[float], str]) -> str:
    if decision.until is None:
        return ""
    if fit.shape == "step":
        return f"; fund another attempt only up to a gate at {effort(decision.until)} in all"
    goal = "the start is made good" if fit.shape == "U" else "the plateau should come"
    return f"; go on to {effort(decision.until)} in all, where {goal}"
