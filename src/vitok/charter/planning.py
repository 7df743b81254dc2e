"""The charter's plan, experiments, risks and scope."""

from typing import Literal

from pydantic import Field

from vitok.charter.section import Level, Section, Text
from vitok.charter.values import Duration, Moment, Period, Share

Stage = Literal["framing", "prototype", "development", "pilot", "scale"]
ExperimentState = Literal["planned", "running", "done", "dropped"]
RiskState = Literal["open", "mitigated", "accepted", "closed"]


class Milestone(Section):
    """A point of the plan whose state is read from the project."""

    name: Text = Field(description="What is reached.", examples=["baseline measured"])
    due: Moment = Field(description="A date, or a duration after `plan.start`.", examples=["14d"])
    done_when: Text = Field(
        description="What the project must show: `baseline`, `accepted`, `released`, a count such as "
        "`labels >= 1000` (also `predictions`, `windows`, `turns`), or a metric of the version in production "
        "on its interval, such as `roc_auc >= 0.7`.",
        examples=["baseline"],
    )
    mvp: bool = Field(
        False, description="Whether this is the smallest result that is of use.", examples=[True]
    )


class Plan(Section):
    """Stages with their dates, milestones, and how often people look at it together."""

    start: Moment | None = Field(
        None, description="First day; default: when the charter was first run.", examples=["2026-01-05"]
    )
    stages: dict[Stage, Moment] = Field(
        {},
        description="When each stage is to be finished: a date, or a duration after the start.",
        examples=[
            {"framing": "14d", "prototype": "30d", "development": "60d", "pilot": "75d", "scale": "90d"}
        ],
    )
    milestones: list[Milestone] = Field([], description="Points to reach.")
    review: Period | None = Field(None, description="How often the charter is reviewed.", examples=["30d"])


class Experiment(Section):
    """An idea, what it may bring, what it costs, and what came of it, good or bad."""

    id: Text = Field(description="Short name.", examples=["E1"])
    what: Text = Field(
        description="The idea.", examples=["delays of the last hour at the airport as features"]
    )
    effect: float = Field(
        ge=0,
        le=1e15,
        description="Expected gain of the main metric, in its units, if it works.",
        examples=[0.02],
    )
    chance: Share = Field(0.5, description="How likely it works.", examples=["50%"])
    effort: Duration = Field(description="Person-hours that it takes.", examples=["16h"])
    status: ExperimentState = Field("planned", description="Where it stands.", examples=["planned"])
    gain: float | None = Field(
        None, description="The gain that was measured; negative results are kept too.", examples=[0.013]
    )
    learned: str | None = Field(
        None, description="What it taught, in a sentence.", examples=["helps in summer only"]
    )


class Risk(Section):
    """One entry of the risk register."""

    id: Text = Field(description="Short name.", examples=["R1"])
    what: Text = Field(description="What may happen.", examples=["weather feed fails"])
    kind: Literal["technical", "business", "resource"] = Field(
        description="Kind of risk.", examples=["technical"]
    )
    likelihood: Level = Field(description="How likely.", examples=["medium"])
    impact: Level = Field(description="How bad.", examples=["high"])
    mitigation: str | None = Field(None, description="What is done about it.", examples=["fallback model"])
    status: RiskState = Field("open", description="Where it stands.", examples=["mitigated"])
    owner: str | None = Field(None, description="Who looks after it.", examples=["ada@example.org"])
    watched_by: str | None = Field(
        None,
        description="What watches it: `gate(GATE)` with a gate of `accept`, `alert(quality)`, `alert(drift)`, "
        "`alert(drift.COLUMN)` or `alert(missing.COLUMN)`.",
        examples=["alert(missing.temp)"],
    )


class Outside(Section):
    """Rows that the project leaves out."""

    what: Text = Field(description="Which rows.", examples=["cancelled flights"])
    where: Text | None = Field(
        None,
        description="SQL condition on a row that tells them; `check` counts those that the data still holds.",
        examples=["cancelled = true"],
    )


class Scope(Section):
    """What is in and what is out."""

    inside: list[str] = Field(
        [], alias="in", description="What the project covers.", examples=[["departures from New York"]]
    )
    out: list[Text | Outside] = Field(
        [],
        description="What it leaves out: words, or rows with a condition.",
        examples=[[{"what": "cancelled flights", "where": "cancelled = true"}]],
    )
    regulation: list[str] = Field([], description="Rules that apply.", examples=[["GDPR"]])
