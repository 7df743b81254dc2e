"""The charter's keys for the way of an accepted version into production."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from vitok.charter.section import Section, Text
from vitok.charter.values import Amount, Multiple, Period, Share

Strategy = Literal["immediate", "shadow", "canary", "blue-green", "ab", "flag", "pilot"]


def _rising(shares: list[float]) -> list[float]:
    if any(not 0 < share <= 0.5 for share in shares) or sorted(set(shares)) != shares:
        raise ValueError("write rising shares above 0 % and up to 50 %, such as [5%, 25%, 50%]")
    return shares


class Guard(Section):
    """Limits that a new version must keep while it is rolled out.

    It is taken back when it is worse for certain, and by more than the limit as far as one can tell; it is promoted
    only when each limit is kept for certain.
    """

    errors: Multiple | None = Field(
        1.5,
        description="Share of units whose request failed, as a multiple of the champion's.",
        examples=["1.5x"],
    )
    latency: Multiple | None = Field(
        2.0,
        description="Time to score: how often it exceeds this multiple of the champion's p50, p95 and p99.",
        examples=["2x"],
    )
    quality: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Tolerated loss of right decisions (a share; regression: of the absolute error, in shares of the "
        "target's range), on matured outcomes.",
        examples=[0.02],
    )
    profit: Amount | None = Field(
        None,
        description="Tolerated loss of money a decision, by `decide.costs`, on matured outcomes.",
        examples=[0.5],
    )
    conversion: Share | None = Field(
        None,
        gt=0,
        lt=1,
        description="Tolerated drop of the units with the positive outcome, as a share of the champion's, on matured "
        "outcomes.",
        examples=["15%"],
    )
    latency_p95: Period | None = Field(
        None,
        description="Time to score that at most one unit in twenty may exceed.",
        examples=["500ms"],
    )
    negligible: Share = Field(
        0.01,
        gt=0,
        le=0.1,
        description="Share of failing or slow units up to which their ratio does not matter.",
        examples=["1%"],
    )


class Exposure(Section):
    """What a roll-out may cost in the worst case, before any test has decided."""

    budget: Amount = Field(description="Money that may be lost.", examples=[2000.0])
    per_answer: Amount = Field(
        description="What one answer of the new version may cost at worst.", examples=[1.5]
    )


class Comparison(Section):
    """An A/B test."""

    share: Share = Field(0.5, gt=0, le=0.5, description="Share of the units of the new version.")
    horizon: Period = Field("14d", validate_default=True, description="How long it lasts.", examples=["14d"])
    primary: Literal["quality", "profit", "conversion"] = Field(
        "quality",
        description="What decides: right decisions, money a decision, or units with the positive outcome.",
    )
    effect: float = Field(
        0.01, gt=0, description="Smallest difference worth acting on, in units of `primary`.", examples=[0.01]
    )
    reading: Literal["always", "looks", "horizon"] = Field(
        "always",
        description="`always`: an interval that holds however often one looks, and an early end; `looks`: ten "
        "planned looks with an early end; `horizon`: one test at the end, with the fewest units.",
    )


class Release(Section):
    """How an accepted version reaches users."""

    strategy: Strategy = Field(
        "immediate",
        description="`immediate` switches all traffic at once. `shadow` mirrors it, `canary` raises the share step by "
        "step, `pilot` does so in one segment first, `blue-green` switches all and watches, `ab` compares for a time, "
        "`flag` gives a named segment the new version.",
        examples=["canary"],
    )
    shares: Annotated[list[Share], AfterValidator(_rising)] = Field(
        [0.05, 0.25, 0.5], description="Steps of a canary.", examples=[["5%", "25%", "50%"]]
    )
    step: Period = Field(
        "1h", validate_default=True, description="Least time at each share.", examples=["1h"]
    )
    shadow: Period | None = Field(
        None, description="How long a canary is mirrored before it gets its first share.", examples=["24h"]
    )
    pilot: Text | None = Field(
        None,
        description="The rows of a pilot: a condition, or the name of a flag.",
        examples=["carrier = 'UA'"],
    )
    flags: dict[str, Text] = Field(
        {}, description="Named segments: conditions on rows.", examples=[{"west": "origin in ('LAX', 'SFO')"}]
    )
    guard: Guard = Field(Guard(), description="Limits during the roll-out.")
    alpha: float = Field(
        0.05,
        gt=0,
        le=0.2,
        description="Chance of taking back a version that is no worse, however often one looks.",
        examples=[0.05],
    )
    max_hours: float = Field(72.0, gt=0, le=8784, description="Longest roll-out.", examples=[72.0])
    otherwise: Literal["champion", "hold"] = Field(
        "champion",
        description="What happens at `max_hours` without a decision: back to the champion, or stay and tell.",
    )
    exposure: Exposure | None = Field(None, description="What a roll-out may cost in the worst case.")
    ab: Comparison = Field(Comparison(), description="How `ab` compares.")
