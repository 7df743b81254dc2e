"""Whether to wait for more labelled rows: what they add, what that is worth, what the delay costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitok.stats.intervals import quantile
from vitok.stats.scores import Floats

FAR = 4.0  # times the present rows: beyond, a curve through eighths to wholes is a guess, and is called one


@dataclass(frozen=True, slots=True)
class Range:
    """A figure with its 90 % interval."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> "Range":
        """The figure in another unit, by a factor that is not negative."""
        return Range(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Wait:
    """What waiting for some months brings and costs.

    Args:
        months: How long.
        rows: Training rows by then.
        is_far: Whether that is more than four times the present rows.
        gain: By how much the metric improves, in its units; never negative.
        visible: Chance that it improves by more than the metric's noise.
        worth: Money a year, by the profit of the decisions; None without costs.
        delay: Money forgone until then; None without costs.
        pays: Chance that a year's worth exceeds the delay's cost; None without costs.
    """

    months: float
    rows: float
    is_far: bool
    gain: Range
    visible: float
    worth: Range | None
    delay: Range | None
    pays: float | None


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do, in one sentence.

    Args:
        recommendation: `wait` or `do not wait`.
        months: How long to wait, or None.
    """

    recommendation: str
    months: float | None
    sentence: str


# Expected gain of profit per 1 000 decisions (m,), its draws (draws, m), what the present version earns per 1 000
# decisions over the best constant decision, and decisions a year.
Money = tuple[Floats, Floats, Range, float]


def reckon(
    months: Sequence[float],
    rows: Floats,
    present_rows: float,
    gain: tuple[Floats, Floats],
    noise: float,
    money: Money | None,
    seed: int = 0,
) -> list[Wait]:
    """Puts the draws of a learning curve beside time and money.

    Args:
        months: How long to wait, shape (m,).
        rows: Training rows by then, shape (m,).
        gain: Expected gain of the metric (m,), and its draws (draws, m).
        noise: Half-width of the metric's interval on the test rows.
        money: None without costs.
        seed: Of the draws for the present profit.
    """
    rng = np.random.default_rng(seed)
    return [
        Wait(
            months=length,
            rows=float(rows[place]),
            is_far=bool(rows[place] > FAR * present_rows),
            gain=_range(float(gain[0][place]), gain[1][:, place]),
            visible=float(np.mean(gain[1][:, place] > noise)),
            **(
                {"worth": None, "delay": None, "pays": None}
                if money is None
                else _paid(money, place, length, rng)
            ),
        )
        for place, length in enumerate(months)
    ]


def _paid(money: Money, place: int, months: float, rng: np.random.Generator) -> dict[str, Any]:
    """The part of a wait that is money."""
    profit, draws, present, per_year = money
    delay = present.times(per_year * months / 12 / 1000)
    error = (delay.high - delay.low) / 2 / quantile(0.90, float("inf"))
    forgone = rng.normal(delay.value, error, size=len(draws))
    return {
        "worth": _range(float(profit[place]), draws[:, place]).times(per_year / 1000),
        "delay": delay,
        "pays": float(np.mean(draws[:, place] * per_year / 1000 > forgone)),
    }


def _range(value: float, draws: Floats) -> Range:
    low, high = np.quantile(draws, [0.05, 0.95])
    return Range(value, min(float(low), value), max(float(high), value))


def advise(waits: Sequence[Wait], metric: str, noise: float, *, earns: bool, version: int) -> Advice:
    """Says in one sentence whether to wait, and how sure that is.

    A version in production earns meanwhile: then only the size of the gain matters. Otherwise a year of the gain
    must pay for what the delay forgoes; without costs the gain must be visible over the metric's noise.

    Args:
        noise: Half-width of the metric's interval on the test rows.
        earns: Whether the version is in production.
    """
    if waits[0].pays is not None and not earns:
        return _by_money(waits, version)
    seen = [wait for wait in waits if wait.visible >= 0.5]
    last = waits[-1]
    if not seen:
        return Advice(
            "do not wait",
            None,
            f"Do not wait for rows alone: {_length(last)} more would improve {metric} by about "
            f"{_figures(last.gain)}, within its noise of {noise:.2g} on these test rows "
            f"(visible in {last.visible:.0%} of the draws); try new features instead{_far(last)}.",
        )
    first = seen[0]
    meanwhile = f"keep version {version}, which earns meanwhile, and retrain" if earns else "look again"
    money = "" if first.worth is None else f", worth {first.worth.value:,.0f} a year"
    return Advice(
        "wait",
        first.months,
        f"More rows help: {meanwhile} in {_length(first)}, when {metric} should have improved by "
        f"{_figures(first.gain)}{money} (above its noise of {noise:.2g} in {first.visible:.0%} of the draws)"
        f"{_far(first)}.",
    )


def _by_money(waits: Sequence[Wait], version: int) -> Advice:
    def net(wait: Wait) -> float:
        assert wait.worth is not None
        assert wait.delay is not None
        return wait.worth.value - wait.delay.value

    best = max(waits, key=net)
    assert best.worth is not None
    assert best.delay is not None
    assert best.pays is not None
    figures = (
        f"a year of the gain is worth {best.worth.value:,.0f} ({best.worth.low:,.0f} to {best.worth.high:,.0f}), "
        f"a delay of {_length(best)} costs {best.delay.value:,.0f}"
    )
    if net(best) > 0 and best.pays >= 0.5:
        return Advice(
            "wait",
            best.months,
            f"Waiting {_length(best)} before releasing pays: {figures}; so in {best.pays:.0%} of the draws"
            f"{_far(best)}.",
        )
    return Advice(
        "do not wait",
        None,
        f"Do not hold version {version} back: {figures}; waiting pays in {best.pays:.0%} of the draws{_far(best)}.",
    )


def _figures(figure: Range) -> str:
    return f"{figure.value:.2g} ({figure.low:.2g} to {figure.high:.2g})"


def _length(wait: Wait) -> str:
    return "1 month" if wait.months == 1 else f"{wait.months:g} months"


def _far(wait: Wait) -> str:
    return "; this is beyond four times the present rows, and so a guess" if wait.is_far else ""
