"""The charter as frozen objects: every key of `vitok.yaml`, its type, its meaning."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from vitok.charter.backups import Backups
from vitok.charter.dataset import Data
from vitok.charter.incidents import Incidents
from vitok.charter.planning import Experiment, Plan, Risk, Scope
from vitok.charter.releasing import Release
from vitok.charter.section import Role, Section, Text
from vitok.charter.serving import Notify, Serve
from vitok.charter.values import Budget, Duration, Figure, Money, Period, Share, ShareRange


class Kpi(Section):
    """The business figure that the model is to move."""

    name: Text = Field(description="Name of the figure.", examples=["missed_warnings"])
    base: float = Field(description="Its value before the model.", examples=[0.31])
    target: float = Field(description="The value to reach.", examples=[0.20])
    metric: str | None = Field(
        None, description="The metric of the model that moves it.", examples=["recall"]
    )


class Goal(Section):
    """Why the project exists."""

    statement: Text = Field(
        description="The goal in one sentence.", examples=["Warn of a late arrival at departure time"]
    )
    kind: Literal["cost", "efficiency", "revenue"] = Field(
        "efficiency", description="What improves.", examples=["efficiency"]
    )
    owner: Text | None = Field(None, description="Who answers for the goal.", examples=["ops"])
    stakeholders: list[str] = Field([], description="Who else is concerned.", examples=[["ground crew"]])
    kpi: Kpi | None = Field(None, description="The business figure.")


class Task(Section):
    """What is predicted, from when on it is known, and what identifies a row."""

    type: Literal["binary", "multiclass", "regression"] = Field(
        description="The kind of task.", examples=["binary"]
    )
    target: Text = Field(description="Column to predict.", examples=["late"])
    positive: bool | int | str | None = Field(
        None, description="The value of the target that counts as positive (binary).", examples=[True]
    )
    id: str | None = Field(
        None, description="Column that identifies a row; outcomes are joined by it.", examples=["flight"]
    )
    time: str | None = Field(
        None, description="Column with the moment of the decision.", examples=["departure"]
    )
    entity: str | None = Field(
        None,
        description="Column of the unit that rows belong to; routing is sticky per entity.",
        examples=["tail_number"],
    )
    label_delay: Duration | None = Field(
        None, description="How long after the decision the label is known.", examples=["4h"]
    )
    unit: str | None = Field(
        None,
        description="Unit of the target (regression); gates may then be written in any unit of its kind.",
        examples=["min"],
    )
    label_time: str | None = Field(
        None,
        description="Column with the moment at which the label became known, if the data has it.",
        examples=["landed"],
    )


class Tune(Section):
    """The search for good parameters."""

    sampler: Literal["tpe", "random"] = Field(
        "tpe", description="How the next trial is chosen.", examples=["tpe"]
    )
    trials: int = Field(20, ge=0, description="How many trials for each candidate, at most.", examples=[40])
    timeout: Duration = Field(
        "2m", validate_default=True, description="How long for each candidate, at most.", examples=["10m"]
    )
    objectives: list[str] = Field(
        [],
        description="What trials optimise; the first decides. Default: the main metric of the task.",
        examples=[["roc_auc"]],
    )


class Train(Section):
    """Baselines, candidates and tuning."""

    baselines: list[Literal["prior", "rule"]] = Field(
        ["prior", "rule"],
        description="`prior`: class shares or the mean; `rule`: a tree of depth three.",
        examples=[["prior", "rule"]],
        min_length=1,
    )
    candidates: list[str] = Field(
        ["linear", "lightgbm"],
        description="`linear` (logistic or ridge regression; `logistic` is the same, for classes), `lightgbm`; "
        "`file.py:name` of your own is left out until a later version.",
        examples=[["linear", "lightgbm"]],
        min_length=1,
    )
    tune: Tune = Field(Tune(), description="Search budget.")
    cores: int | None = Field(
        None,
        gt=0,
        description="Cores that a turn takes while it fits. Default: one for a small table, else all.",
        examples=[2],
    )
    memory: int | None = Field(
        None,
        gt=0,
        description="Megabytes that a turn takes while it fits. Default: by the size of its table.",
        examples=[4000],
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of everything random.", examples=[0])


class Costs(Section):
    """Money earned (or, negative, lost) by each kind of decision."""

    tp: Money = Field(description="Flagged and truly positive.", examples=[40.0])
    fp: Money = Field(description="Flagged in vain.", examples=[-5.0])
    fn: Money = Field(description="Positive and missed.", examples=[-60.0])
    tn: Money = Field(description="Rightly left alone.", examples=[0.0])


class Decide(Section):
    """How a score becomes a decision."""

    costs: Costs | None = Field(None, description="Money by kind of decision.")
    threshold: float | Literal["best"] = Field(
        "best",
        description="`best`: most profit on the validation rows (without costs: best F1); or a number.",
        examples=["best"],
    )
    interval: Share = Field(
        0.9,
        ge=0.5,
        le=0.999,
        description="Coverage of the interval that an answer gives on request.",
        examples=["90%"],
    )
    rules: list[str] = Field(
        [],
        description="Business rules `CONDITION -> ANSWER`, the first that fits counts. Those on inputs alone come "
        "before the model, those on `score` or `decision` after it.",
        examples=[["distance < 100 -> default(false)", "score > 0.9 and carrier = 'UA' -> hand_over"]],
    )
    unsure: str | None = Field(
        None,
        description="The answer where the score is near the threshold (several classes: the best one hardly better "
        "than the second): `hand_over` to a person, or `default(VALUE)`; `within` says how near, .05 if it does not.",
        examples=["hand_over within 0.05"],
    )
    outlier: str | None = Field(
        None,
        description="The answer for a row that is stranger than this share of the rows that the model was judged on; "
        "99.9% if it does not say.",
        examples=["hand_over beyond 99.9%"],
    )
    out_of_scope: str | None = Field(
        None,
        description="The answer for a row that a condition of `scope.out` describes. Default: `hand_over`.",
        examples=["default(false)"],
    )
    holdout: str | None = Field(
        None,
        description="A share of the units (of `task.entity`, else rows) that always get one answer, and no score: what "
        "one would do without a model. What the others earn more is what the model earns (`vitok earned`).",
        examples=["default(false) for 5%"],
    )


Approvers = Literal["auto"] | list[Role]


class Approve(Section):
    """Who must agree to a change, by its risk class; a class with roles blocks its releases until approvals come.

    Nobody may agree to a change of his own, and nobody for two roles.
    """

    low: Approvers = Field(
        "auto", description="Refreshed data, same algorithm and features.", examples=["auto"]
    )
    medium: Approvers = Field("auto", description="Other parameters or features.", examples=[["ml_engineer"]])
    high: Approvers = Field(
        "auto",
        description="First release, another algorithm, or other criteria in the charter.",
        examples=[["domain_expert", "product_owner"]],
    )
    within: Period = Field(
        "14d",
        validate_default=True,
        description="How long a request waits for answers, and how long answers hold until the release.",
        examples=["14d"],
    )
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+")] | None = Field(
        None,
        description="Where people reach the pages of `vitok up`. Members of the team who are asked by mail "
        "(`notify` with `mailto:` and `question`) then get a link by which they answer.",
        examples=["https://vitok.example.org"],
    )


class DriftRule(Section):
    """When a changed distribution is worth an alert."""

    effect: float = Field(0.2, gt=0, description="Smallest PSI that matters.", examples=[0.2])
    false_alarms: Budget = Field(
        "1 per 90d",
        validate_default=True,
        description="Tolerated false alarms of the whole project, on drift and on quality together.",
        examples=["1 per 90d"],
    )


class Monitor(Section):
    """How production is watched."""

    window: Period = Field("1d", validate_default=True, description="Length of a window.", examples=["1d"])
    drift: DriftRule = Field(DriftRule(), description="Drift alerts.")
    concession: Share = Field(
        0.05,
        description="Share of an accepted metric that may be lost before its fall is an alarm.",
        examples=["5%"],
    )
    alerts: list[str] = Field(
        [],
        description="What must not happen: comparisons on labelled windows; evidence that one holds raises "
        "an alert on quality.",
        examples=[["roc_auc < 0.65 for window(7d)", "worst_slice.recall < 0.4 for window(30d)"]],
    )
    slices: list[str] = Field(
        [],
        description="Columns whose groups are watched apart, and that `worst_slice` goes through.",
        examples=[["carrier", "origin"]],
    )


class Retrain(Section):
    """When a new turn starts by itself, and what holds it back."""

    on: list[str] = Field(
        [], description="Triggers; any of them starts a turn.", examples=[["schedule(weekly)", "drift"]]
    )
    window: Literal["all"] | Period = Field(
        "all", description="Rows to train on: all, or the last period.", examples=["all"]
    )
    season: Period | None = Field(
        None,
        description="Besides the last `window`: rows of earlier years so near to the same day of the year.",
        examples=["30d"],
    )
    half_life: Period | None = Field(
        None,
        description="Age at which a row weighs half as much as the newest when candidates are fitted. Default: all "
        "weigh the same.",
        examples=["90d"],
    )
    confirm: Annotated[str, Field(pattern=r"^[1-9]\d? of [1-9]\d?$")] = Field(
        "1 of 1",
        description="In how many of the last judged windows a comparison must hold before it starts a turn.",
        examples=["2 of 3"],
    )
    poisoned: Literal["wait", "train"] = Field(
        "wait",
        description="While an input looks broken and nobody acknowledged the alarm, or new labels contradict the "
        "scores: `wait`, or `train` all the same.",
        examples=["wait"],
    )
    cooldown: Duration | None = Field(None, description="Shortest time between two turns.", examples=["7d"])
    budget: Budget | None = Field(None, description="Most turns in a period.", examples=["4 per 30d"])

    @property
    def confirmed(self) -> tuple[int, int]:
        """Windows in which a comparison must hold, and windows that are looked at."""
        few, _, many = self.confirm.partition(" of ")
        return int(few), int(many)

    @model_validator(mode="after")
    def _few_of_many(self) -> Self:
        if self.confirmed[0] > self.confirmed[1]:
            raise ValueError(f"{self.confirm!r} can never be: write such as 2 of 3")
        return self


class Benefit(Section):
    """What one unit of success is worth."""

    per: Text = Field(description="The unit.", examples=["prevented_miss"])
    value: Figure = Field(description="Money for each unit.", examples=[60.0])
    events_per_year: Figure | None = Field(
        None, description="How many units a year could be affected.", examples=[[15000.0, 20000.0, 30000.0]]
    )
    prevented: Share | ShareRange | None = Field(
        None, description="Share of them that the model wins.", examples=["50%"], union_mode="left_to_right"
    )


class Economics(Section):
    """Costs and benefits; each figure is a number, `[low, high]`, or `[low, likely, high]`."""

    build: Figure = Field(description="One-time cost.", examples=[[120000.0, 150000.0, 220000.0]])
    yearly: Figure = Field(description="Running cost a year.", examples=[30000.0])
    horizon: Period = Field(description="Period that counts.", examples=["3y"])
    discount: Share = Field(0.0, description="Discount rate a year.", examples=["10%"])
    benefit: Benefit = Field(description="The benefit.")
    hour: float | None = Field(
        None, ge=0, description="Cost of one person-hour, for the effort-value curve.", examples=[80.0]
    )
    compute_hour: float | None = Field(
        None, ge=0, description="Cost of one hour of computing, for the effort-value curve.", examples=[0.5]
    )


class Charter(Section):
    """The whole charter."""

    project: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")] = Field(
        description="Name of the project and of its model; small letters, digits, - and _.",
        examples=["flight-delay"],
    )
    goal: Goal = Field(description="Why the project exists.")
    task: Task = Field(description="What is predicted.")
    data: Data = Field(description="Where the rows come from.")
    features: str | None = Field(
        None,
        description="`file.py:function` that adds features to a Polars frame; shipped with the model.",
        examples=["features.py:add_features"],
    )
    train: Train = Field(Train(), description="Baselines, candidates, tuning.")
    accept: list[str] = Field(
        description="Gates; each is decided on its interval and fails closed.",
        examples=[["roc_auc >= 0.70"]],
        min_length=1,
    )
    decide: Decide = Field(Decide(), description="How a score becomes a decision.")
    serve: Serve = Field(Serve(), description="How workers behave under load and in trouble.")
    release: Release = Field(Release(), description="How an accepted version reaches users.")
    approve: Approve = Field(Approve(), description="Who must agree.")
    backup: Backups = Field(Backups(), description="What is put aside before a release.")
    monitor: Monitor = Field(Monitor(), description="How production is watched.")
    incidents: Incidents = Field(Incidents(), description="Trouble on record, and first aid.")
    notify: list[Notify] = Field([], description="Who is told what happens.")
    retrain: Retrain = Field(Retrain(), description="When a new turn starts by itself.")
    economics: Economics | None = Field(None, description="Costs and benefits.")
    plan: Plan = Field(Plan(), description="Stages, milestones, reviews.")
    experiments: list[Experiment] = Field([], description="Ideas to try and what came of them.")
    risks: list[Risk] = Field([], description="Risk register.")
    team: dict[Text, list[Role]] = Field(
        {}, description="People and their roles.", examples=[{"ada@example.org": ["data_scientist"]}]
    )
    scope: Scope = Field(Scope(), description="What is in, what is out.")

    def as_json(self) -> dict[str, Any]:
        """The charter as JSON values: the form that is digested and stored."""
        return self.model_dump(mode="json")
