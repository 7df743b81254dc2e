"""Cash flow of a project: net by year, payback, ROI, NPV, IRR; and what uncertain figures make of them.

Convention: the build cost is paid at the start (time 0), benefits and running costs come at the end of each year.
The table shows the build cost in the first year. Payback counts undiscounted money, evenly within a year.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]
Figure = float | tuple[float, ...]

DRAWS = 20_000


@dataclass(frozen=True, slots=True)
class Case:
    """The figures of a project; each a number, an interval (low, high), or a triangle (low, likely, high).

    Args:
        build: One-time cost.
        yearly: Running cost a year.
        value: Money for each unit of success.
        events: Units a year that could be affected.
        prevented: Share of them that the model wins.
        years: Length of the horizon in years, may be broken.
        discount: Rate a year, 0.1 for ten per cent.
    """

    build: Figure
    yearly: Figure
    value: Figure
    events: Figure
    prevented: Figure
    years: float
    discount: float

    @property
    def uncertain(self) -> dict[str, tuple[float, ...]]:
        """The figures that are ranges."""
        names = ("build", "yearly", "value", "events", "prevented")
        return {name: found for name in names if isinstance(found := getattr(self, name), tuple)}


def middle(figure: Figure) -> float:
    """The figure to reckon with: itself, the middle of an interval, the mean of a triangle."""
    return float(np.mean(figure)) if isinstance(figure, tuple) else float(figure)


@dataclass(frozen=True, slots=True)
class Result:
    """What a case is worth.

    Args:
        years: (number, net, cumulative) of each year; a last broken year counts in part.
        npv: Net present value at the case's discount rate.
        irr: Internal rate of return a year, None where no rate makes the value zero.
        roi: (benefits - costs) / costs over the horizon, undiscounted; None where nothing is spent.
        payback_years: When the money is back; None if not at these yearly flows.
    """

    years: list[tuple[int, float, float]]
    npv: float
    irr: float | None
    roi: float | None
    payback_years: float | None


def appraise(case: Case) -> Result:
    """Appraises a case by the middle of each figure.

    >>> from dataclasses import replace
    >>> stops = Case(150_000, 30_000, 10_000, 20, 0.5, 3, 0.0)
    >>> result = appraise(stops)
    >>> result.years[:2], round(result.payback_years, 2)
    ([(1, -80000.0, -80000.0), (2, 70000.0, -10000.0)], 2.14)
    """
    build, yearly = middle(case.build), middle(case.yearly)
    earned = middle(case.value) * middle(case.events) * middle(case.prevented)
    lengths = _lengths(case.years)
    flows = (earned - yearly) * lengths
    nets = flows.copy()
    nets[0] -= build
    totals = np.cumsum(nets)
    costs = build + yearly * lengths.sum()
    return Result(
        years=[
            (n + 1, float(net), float(total)) for n, (net, total) in enumerate(zip(nets, totals, strict=True))
        ],
        npv=net_present_value([-build, *flows], case.discount),
        irr=internal_rate([-build, *flows]),
        roi=float((earned * lengths.sum() - costs) / costs) if costs else None,
        payback_years=build / (earned - yearly) if earned > yearly else None,
    )


def _lengths(years: float) -> Floats:
    """Length of each year: ones, and the broken rest."""
    whole = int(years + 1e-9)
    rest = years - whole
    return np.array([1.0] * whole + ([rest] if rest > 1e-6 else []))


def net_present_value(flows: Sequence[float], rate: float) -> float:
    """Sum of flows at times 0, 1, 2, ... discounted by `(1 + rate) ** t`.

    Brealey, Myers & Allen, *Principles of Corporate Finance*, ch. 5: flows -4000, 2000, 4000 at 10 %:

    >>> round(net_present_value([-4000, 2000, 4000], 0.10))
    1124
    """
    return float(np.sum(np.asarray(flows) / (1 + rate) ** np.arange(len(flows))))


def internal_rate(flows: Sequence[float]) -> float | None:
    """The rate at which the present value is zero; None if the flows do not change sign exactly once.

    The same flows as above have an IRR of 28 %:

    >>> round(internal_rate([-4000, 2000, 4000]), 3)
    0.281
    """
    signs = np.sign([flow for flow in flows if flow])
    if np.count_nonzero(np.diff(signs)) != 1:
        return None
    low, high = -0.999, 1.0
    while net_present_value(flows, high) * net_present_value(flows, low) > 0 and high < 1e6:
        high *= 2
    if net_present_value(flows, high) * net_present_value(flows, low) > 0:
        return None
    return float(brentq(lambda rate: net_present_value(flows, rate), low, high))


@dataclass(frozen=True, slots=True)
class Spread:
    """What uncertain figures make of the net present value.

    Args:
        low, high: Its 5 % and 95 % quantiles.
        loss: Chance that it is negative.
        tornado: For each uncertain figure the value at its low and at its high end, the widest first.
    """

    low: float
    high: float
    loss: float
    tornado: list[tuple[str, float, float]]


def spread(case: Case, seed: int = 0, draws: int = DRAWS) -> Spread | None:
    """Monte Carlo over the uncertain figures, drawn independently; None if there are none.

    Args:
        seed: Of the draws.
    """
    if not case.uncertain:
        return None
    rng = np.random.default_rng(seed)
    drawn = {name: _draw(rng, figure, draws) for name, figure in case.uncertain.items()}
    values = _values(case, drawn)
    tornado = []
    for name, figure in case.uncertain.items():
        ends = [float(_values(case, {name: np.array([end])})[0]) for end in (figure[0], figure[-1])]
        tornado.append((name, ends[0], ends[1]))
    tornado.sort(key=lambda bar: abs(bar[2] - bar[1]), reverse=True)
    low, high = np.quantile(values, [0.05, 0.95])
    return Spread(float(low), float(high), float((values < 0).mean()), tornado)


def _draw(rng: np.random.Generator, figure: tuple[float, ...], draws: int) -> Floats:
    low, high = figure[0], figure[-1]
    if low == high:
        return np.full(draws, low)
    return rng.triangular(low, figure[1], high, draws) if len(figure) == 3 else rng.uniform(low, high, draws)


def _values(case: Case, drawn: Mapping[str, Floats]) -> Floats:
    """Net present value for drawn figures, all others at their middle."""

    def of(name: str) -> Floats | float:
        return drawn[name] if name in drawn else middle(getattr(case, name))

    lengths = _lengths(case.years)
    weight = float(np.sum(lengths / (1 + case.discount) ** np.arange(1, len(lengths) + 1)))
    flow = of("value") * of("events") * of("prevented") - of("yearly")
    return np.asarray(flow * weight - of("build"), dtype=np.float64).reshape(-1)
