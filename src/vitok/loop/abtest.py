"""`vitok ab plan`: the design of an A/B test, from the charter, the journal and what is asked."""

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
import polars as pl

from vitok.charter.review import main_metric
from vitok.errors import UserMistake
from vitok.journal.ledger import Ledger
from vitok.kernel.clock import parse_duration
from vitok.loop.assemble import cost_tuple
from vitok.loop.outcome_values import row_figures
from vitok.loop.project import Project
from vitok.loop.rejudge import version_in_use
from vitok.loop.traffic import units_of
from vitok.model.bundle import load_manifest
from vitok.release.comparing import Design, Question, as_json, design, told, warnings
from vitok.release.holdout import HELD_OUT
from vitok.release.stoprules import stop_rules

_DAY = timedelta(days=1)
_TRAFFIC_DAYS, _OUTCOME_DAYS = 28, 90
_LEAST_UNITS = 50  # with outcomes; fewer say too little of a deviation
_SPANS = 10  # standard deviations between the least and the most value, where nothing is known of them
_NUMBER = re.compile(r"\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*(%|x|)\s*", re.IGNORECASE)
_MEANINGS = {
    "quality": "share of right decisions",
    "profit": "money a decision, by decide.costs",
    "conversion": "share of units with the positive outcome",
}


@dataclass(frozen=True)
class Asked:
    """What was asked for as text; None for what the charter or the journal says.

    Args:
        metric: `quality`, `profit`, or the name of a rate that the project does not know.
        base: The champion's mean, such as `3.2%`.
        deviation: Standard deviation of a unit's value; without it a given base is a rate.
        effect: Smallest difference worth acting on: `0.5%`, `0.005`, or `1.1x` the base.
        traffic: Units a day.
        share, power, alpha: Shares.
        delay, horizon: Durations.
        reading: `always`, `looks` or `horizon`.
    """

    metric: str | None = None
    base: str | None = None
    deviation: str | None = None
    effect: str | None = None
    traffic: str | None = None
    share: str | None = None
    power: str | None = None
    alpha: str | None = None
    delay: str | None = None
    horizon: str | None = None
    reading: str | None = None


class _Base(NamedTuple):
    """The champion's figure: mean, deviation (None for a rate), least-to-most span, and where it comes from."""

    mean: float
    deviation: float | None
    span: float
    source: str


def plan_ab(project: Project, asked: Asked) -> dict[str, Any]:
    """The object that `vitok ab plan --json` prints.

    Returns:
        primary, share, alpha, power, reading, traffic, delay_days, horizon_days, sources, designs, units, days, fits,
        smallest_effect, stop_rules, secondary, warnings.

    Raises:
        UserMistake: a figure is missing, cannot be read, or is out of its range.
    """
    name = asked.metric or project.charter.release.ab.primary
    base = _base(project, asked, name)
    traffic, traffic_source = _traffic(project, asked)
    question = _question(project, asked, base, traffic)
    found = design(question)
    return {
        "primary": {
            "name": name,
            "meaning": _MEANINGS.get(name, "share of units"),
            "is_known": name in _MEANINGS,
            "base": base.mean,
            "deviation": base.deviation,
            "effect": question.effect,
            "effect_in_words": told(question, question.effect),
        },
        "share": question.share,
        "alpha": question.alpha,
        "power": question.power,
        "reading": question.reading,
        "traffic": traffic,
        "delay_days": question.delay_days,
        "horizon_days": question.horizon_days,
        "sources": {"base": base.source, "traffic": traffic_source},
        "designs": as_json(found),
        "units": {"champion": found.chosen.champion, "challenger": found.chosen.challenger},
        "days": found.chosen.days,
        "fits": found.chosen.days <= question.horizon_days,
        "smallest_effect": found.smallest,
        "stop_rules": msgspec.to_builtins(stop_rules(project.charter.release)),
        "secondary": _secondary(project, name),
        "warnings": [
            *_doubts(project, name, base),
            *warnings(question, found),
            *_remedy(project, question, found),
        ],
    }


def _question(project: Project, asked: Asked, base: _Base, traffic: float) -> Question:
    release, ab = project.charter.release, project.charter.release.ab
    horizon = ab.horizon if asked.horizon is None else parse_duration(asked.horizon, "--horizon")
    reading = asked.reading or ab.reading
    if reading not in ("always", "looks", "horizon"):
        what = f"{reading!r} is no way of reading"
        raise UserMistake("--reading", what, "Write always, looks or horizon.")
    if not horizon:
        raise UserMistake("--horizon", "is no time at all", "Write such as 14d.")
    try:
        return Question(
            mean=base.mean,
            deviation=base.deviation,
            effect=ab.effect if asked.effect is None else _effect(asked.effect, base),
            span=base.span,
            share=ab.share if asked.share is None else _number(asked.share, "--share"),
            alpha=release.alpha if asked.alpha is None else _number(asked.alpha, "--alpha"),
            power=0.8 if asked.power is None else _number(asked.power, "--power"),
            units_per_day=traffic,
            horizon_days=horizon / _DAY,
            delay_days=_delay(project, asked) / _DAY,
            reading=reading,  # type: ignore[arg-type]
        )
    except ValueError as error:
        raise UserMistake("ab plan", str(error), "Give other figures; see `vitok ab plan --help`.") from error


def _base(project: Project, asked: Asked, name: str) -> _Base:
    """The champion's figure, as given or by the journal."""
    if asked.base is None:
        if name not in _MEANINGS:
            raise UserMistake("--base", f"is needed for {name!r}", "Give the champion's rate, such as 3.2%.")
        return _of_journal(project, name)
    mean = _number(asked.base, "--base")
    if asked.deviation is not None:
        deviation = _number(asked.deviation, "--deviation")
        return _Base(mean, deviation, _span(project, name, deviation), "as given")
    if name == "profit":
        raise UserMistake("--deviation", "is needed for money", "Give the standard deviation of a decision.")
    if not 0 < mean < 1:
        what = f"{asked.base} is no rate"
        raise UserMistake("--base", what, "Write a share such as 3.2%, or give --deviation too.")
    return _Base(mean, None, 1.0, "as given")


def _span(project: Project, name: str, deviation: float) -> float:
    costs = cost_tuple(project)
    if name == "profit" and costs is not None:
        return max(costs) - min(costs)
    return max(_SPANS * deviation, 1e-12)


def _of_journal(project: Project, name: str) -> _Base:
    """Mean and deviation of the champion's units whose outcomes came, in the last 90 days."""
    found, remedy = version_in_use(project), "Give it, such as --base 3.2%."
    if found is None or found[1] != "production":
        raise UserMistake("--base", "is unknown: no version is in production", remedy)
    now, version = project.clock(), found[0]
    rows = Ledger(project.lake).labelled(now - _OUTCOME_DAYS * _DAY, now, now)
    rows = rows.filter((pl.col("version") == version.number) & (pl.col("role") != "shadow"))
    rows = rows.filter(pl.col("decision").is_not_null() & (pl.col("action") != HELD_OUT))
    rows = rows.with_columns(is_shadow=pl.lit(False))
    manifest = load_manifest(project.blobs, version.digest)
    figures, spans = row_figures(project, manifest, rows)
    if name not in spans:
        what = f"{name} cannot be told: a {manifest.task} task, costs {'given' if cost_tuple(project) else 'missing'}"
        raise UserMistake("--metric", what, "Take quality.")
    day = pl.col("time") < pl.col("time").min().over("unit") + _DAY
    values = figures.filter(day).group_by("unit", maintain_order=True).agg(pl.col(name).mean())[name]
    if len(values) < _LEAST_UNITS:
        have = "1 unit has an outcome" if len(values) == 1 else f"{len(values) or 'no'} units have outcomes"
        what = f"is unknown: of version {version.number} {have}, and it takes {_LEAST_UNITS}"
        raise UserMistake("--base", what, remedy)
    mean, deviation = float(values.mean()), float(values.std())  # type: ignore[arg-type]
    source = f"journal: {len(values)} units of version {version.number} with outcomes"
    is_rate = name != "profit" and bool(values.is_in([0.0, 1.0]).all()) and 0 < mean < 1
    low, high = spans[name]
    return _Base(mean, None if is_rate else deviation, high - low, source)


def _traffic(project: Project, asked: Asked) -> tuple[float, str]:
    if asked.traffic is not None:
        units = _number(asked.traffic, "--traffic")
        if not 0 < units <= 1e12:
            raise UserMistake("--traffic", f"{asked.traffic} units a day", "Give a number above 0.")
        return units, "as given"
    seen = units_of(project.lake, project.clock(), _TRAFFIC_DAYS)
    if seen is None:
        what = f"is unknown: the journal has no units of the last {_TRAFFIC_DAYS} days"
        raise UserMistake("--traffic", what, "Give it: units a day, such as 4000.")
    return seen.per_day, seen.source


def _delay(project: Project, asked: Asked) -> timedelta:
    """From the first sight of a unit until its outcome counts."""
    task = project.charter.task
    delay = task.label_delay or timedelta()
    if asked.delay is not None:
        return parse_duration(asked.delay, "--delay")
    return delay + (
        _DAY if task.entity is not None else timedelta()
    )  # an entity's first day counts as one value


def _effect(text: str, base: _Base) -> float:
    match = _NUMBER.fullmatch(text)
    if match is not None and match[2] in ("x", "X"):
        return abs(base.mean * (float(match[1]) - 1))
    return _number(text, "--effect")


def _number(text: str, place: str) -> float:
    """A number, or a share such as 3.2%."""
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] in ("x", "X") or not math.isfinite(float(match[1])):
        raise UserMistake(place, f"{text!r} is no number", "Write such as 0.032 or 3.2%.")
    return float(match[1]) / (100 if match[2] else 1)


def _secondary(project: Project, primary: str) -> list[dict[str, str]]:
    """What is shown beside the primary metric, and decides nothing."""
    charter = project.charter
    names = {"quality": _MEANINGS["quality"]}
    if charter.task.type == "binary":
        names["conversion"] = _MEANINGS["conversion"]
    if cost_tuple(project) is not None:
        names["profit"] = _MEANINGS["profit"]
    names[main_metric(charter)] = "metric of the verdict, on matured outcomes"
    if charter.goal.kpi is not None:
        names[charter.goal.kpi.name] = "the goal's figure"
    return [{"name": name, "meaning": meaning} for name, meaning in names.items() if name != primary]


def _doubts(project: Project, name: str, base: _Base) -> list[str]:
    said = []
    if name not in _MEANINGS:
        said.append(f"{name} is no metric of the journal: it is planned here, and read elsewhere.")
    if name == "profit" and cost_tuple(project) is None:
        said.append(f"decide.costs is not given: values are taken to span {_SPANS} standard deviations.")
    return said


def _remedy(project: Project, question: Question, found: Design) -> list[str]:
    """What one test at the end would save, where looking costs too much time."""
    once = found.horizon.days
    if question.reading == "always" and found.chosen.days > question.horizon_days >= once:
        return [
            f"Read once at the end (release.ab.reading: horizon), the same effect takes {once:.1f} days and fits."
        ]
    return []
