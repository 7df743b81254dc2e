"""Effort and what came of it: the log of person-hours, and the curve of value over effort with its advice."""

import math
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np

from vitok.charter.review import main_metric
from vitok.economics.decisions import PROFIT
from vitok.economics.effort import AHEAD, Advice, Rule, advise, sentence
from vitok.errors import NotFound, UserMistake
from vitok.govern import audit
from vitok.kernel.clock import format_time
from vitok.kernel.ids import new_id
from vitok.loop.project import Project
from vitok.loop.rejudge import YEAR, rows_per_year
from vitok.model.bundle import load_manifest
from vitok.registry import efforts, turns, versions
from vitok.stats.catalogue import METRICS
from vitok.stats.scores import Undecidable
from vitok.stats.shapes import FEWEST_POINTS, SHAPES, Fit, fit_shapes, refits

LONGEST_HOURS = 10_000.0  # five person-years in one entry: more is a slip of the keyboard
_CURVE_POINTS = 51


def log_effort(
    project: Project, hours: float, *, experiment: str | None, note: str, at: datetime | None, actor: str
) -> dict[str, Any]:
    """Writes person-hours down.

    Args:
        experiment: Id of one of the charter's experiments, or None.
        at: When the work was done; None for now.

    Raises:
        UserMistake: the hours are no effort, or lie in the future.
        NotFound: the charter has no such experiment.
    """
    now = project.clock()
    moment = now if at is None else at
    _require_effort(project, hours, experiment, moment, now)
    entry = efforts.Effort(new_id(now), moment, actor, float(hours), experiment, note)
    details = {"hours": entry.hours, "experiment": experiment, "note": note, "time": format_time(moment)}
    with project.engine.begin() as connection:
        efforts.add(connection, entry)
        audit.record(connection, now, actor, "log effort", f"effort {entry.id}", details)
        total = math.fsum(one.hours for one in efforts.all_efforts(connection))
    return {"effort": entry.id, **details, "total_hours": total}


def _require_effort(
    project: Project, hours: float, experiment: str | None, moment: datetime, now: datetime
) -> None:
    if not math.isfinite(hours) or not 0 < hours <= LONGEST_HOURS:
        raise UserMistake(
            "--hours",
            f"{hours:g} is no effort",
            f"Write hours above 0 and up to {LONGEST_HOURS:,.0f}, such as 6.",
        )
    if moment > now:
        raise UserMistake(
            "--at", f"{format_time(moment)} lies in the future", "Log effort when it was spent."
        )
    known = [one.id for one in project.charter.experiments]
    if experiment is not None and experiment not in known:
        remedy = (
            f"Known: {', '.join(known)}." if known else "Add it under `experiments` in the charter first."
        )
        raise NotFound("--experiment", f"{experiment!r} is no experiment of {project.document.name}", remedy)


@dataclass(frozen=True)
class _Journal:
    """What was spent and what came of it, oldest first."""

    efforts: list[efforts.Effort]
    turns: list[turns.Turn]
    versions: dict[int, versions.Version]


@dataclass(frozen=True)
class _Prices:
    """Money for an hour of a person and of a machine; None if the charter does not state both."""

    hour: float
    compute: float


def effort_curve(project: Project, *, metric: str | None = None, each: bool = False) -> dict[str, Any]:
    """The object that `vitok effort --json` prints.

    Args:
        metric: A metric of the task; None for the main one.
        each: Each verdict's own value instead of the best so far.

    Raises:
        UserMistake: the metric is none of this task, or needs costs that the charter does not state.
        NotFound: no turn has registered a version yet.
    """
    name = _metric(project, metric)
    with project.engine.connect() as connection:
        journal = _Journal(
            efforts.all_efforts(connection),
            turns.all_turns(connection),
            {version.number: version for version in versions.all_versions(connection)},
        )
    prices = _prices(project)
    points = _points(journal, name, prices)
    if not points:
        raise NotFound("effort", f"no version with {name} is registered yet", "Make one with `vitok run`.")
    payload: dict[str, Any] = {
        "metric": name,
        "unit": "hours" if prices is None else "money",
        "values": "each" if each else "best so far",
        "points": points,
        "hours_logged": math.fsum(entry.hours for entry in journal.efforts),
    }
    return payload | _weighed(project, journal, payload, prices)


def _weighed(
    project: Project, journal: _Journal, payload: dict[str, Any], prices: _Prices | None
) -> dict[str, Any]:
    """Shapes, the most likely curve and the advice; or why there is none."""
    name, points = payload["metric"], payload["points"]
    effort = np.array([point["effort"] for point in points])
    value = _sign(name) * np.array(
        [point["value" if payload["values"] == "each" else "best"] for point in points]
    )
    try:
        fits = fit_shapes(effort, value)
    except Undecidable as error:
        return {
            "shapes": [],
            "curve": [],
            "rule": None,
            "advice": None,
            "refused": _refusal(str(error)),
        }
    rule = _rule(project, journal, points, name, float(effort[-1]), prices)
    again = refits(fits, effort, value, seed=project.charter.train.seed)
    advice = advise(fits, again, float(effort[0]), rule)
    return {
        "shapes": [_shape(fit) for fit in fits],
        "curve": _curve(fits[0], name, float(effort[0])),
        "rule": asdict(rule),
        "advice": _advice(advice, fits[0], rule, name, payload["unit"]),
        "refused": None,
    }


def _metric(project: Project, asked: str | None) -> str:
    name, task = main_metric(project.charter) if asked is None else asked, project.charter.task.type
    known = [one.name for one in METRICS.values() if task in one.tasks]
    if name not in known:
        raise UserMistake(
            "--metric", f"{name!r} is no metric of a {task} task", f"Known: {', '.join(known)}."
        )
    if name == PROFIT and project.charter.decide.costs is None:
        raise UserMistake(
            "--metric", f"{PROFIT} needs costs", "State `decide.costs` in the charter, then run again."
        )
    return name


def _sign(metric: str) -> float:
    return 1.0 if METRICS[metric].higher_is_better else -1.0


def _prices(project: Project) -> _Prices | None:
    economics = project.charter.economics
    if economics is None or economics.hour is None or economics.compute_hour is None:
        return None
    return _Prices(economics.hour, economics.compute_hour)


def _points(journal: _Journal, metric: str, prices: _Prices | None) -> list[dict[str, Any]]:
    """One point for each turn that registered a version: what had been spent by its end, and what it gave."""
    points: list[dict[str, Any]] = []
    sign, best = _sign(metric), -math.inf
    for turn in sorted((t for t in journal.turns if t.ended is not None), key=lambda t: (t.ended, t.id)):
        version = None if turn.version is None else journal.versions.get(turn.version)
        found = None if version is None else version.metrics.get(metric)
        if version is None or found is None:
            continue
        hours = math.fsum(entry.hours for entry in journal.efforts if entry.time <= turn.ended)  # type: ignore[operator]
        compute = _compute_hours(journal, turn)
        best = max(best, sign * found["value"])
        points.append(
            {
                "turn": turn.id,
                "time": format_time(turn.ended),  # type: ignore[arg-type]
                "version": version.number,
                "verdict": version.verdict,
                "hours": hours,
                "compute_hours": round(compute, 6),
                "effort": hours + compute
                if prices is None
                else hours * prices.hour + compute * prices.compute,
                "value": found["value"],
                "low": found["low"],
                "high": found["high"],
                "best": sign * best,
            }
        )
    return points


def _compute_hours(journal: _Journal, until: turns.Turn) -> float:
    """Hours of all turns that had ended by then, whatever came of them."""
    ended = [turn for turn in journal.turns if turn.ended is not None and turn.ended <= until.ended]  # type: ignore[operator]
    return math.fsum(seconds for turn in ended for seconds in turn.seconds.values()) / 3600


def _rule(
    project: Project,
    journal: _Journal,
    points: list[dict[str, Any]],
    metric: str,
    spent: float,
    prices: _Prices | None,
) -> Rule:
    """By money where effort and profit both have a price, else by the metric's noise."""
    last, best = points[-1], max(points, key=lambda point: _sign(metric) * point["value"])
    noise, is_met = (last["high"] - last["low"]) / 2, best["verdict"] == "accepted"
    economics = project.charter.economics
    yearly = rows_per_year(load_manifest(project.blobs, journal.versions[last["version"]].digest))
    if metric != PROFIT or prices is None or economics is None or yearly is None:
        return Rule("noise", noise, noise, is_met)
    years = economics.horizon.total_seconds() / YEAR
    money_per_unit = yearly / 1000 * years  # of one unit of profit per 1 000 decisions, over the horizon
    kind: Literal["money", "noise"] = "money" if money_per_unit > 0 else "noise"
    return Rule(kind, AHEAD * spent / money_per_unit if money_per_unit > 0 else noise, noise, is_met)


def _refusal(why: str) -> dict[str, str]:
    return {
        "place": "effort",
        "what": f"gives no advice: {why}",
        "remedy": f"Come back after {FEWEST_POINTS} verdicts at different effort; log hours with `vitok log effort`.",
    }


def _shape(fit: Fit) -> dict[str, Any]:
    return {
        "shape": fit.shape,
        "meaning": SHAPES[fit.shape].meaning,
        "weight": round(fit.weight, 4),
        "aicc": None if fit.aicc is None else round(fit.aicc, 3),
    }


def _curve(fit: Fit, metric: str, first: float) -> list[dict[str, float]]:
    """The most likely curve from the first point to a fifth beyond the last."""
    known, ahead = np.linspace(first, fit.span, _CURVE_POINTS), np.linspace(1.0, 1 + AHEAD, 11)[1:] * fit.span
    places = np.concatenate([known, ahead])
    return [
        {"effort": float(effort), "value": float(_sign(metric) * value)}
        for effort, value in zip(places, fit.at(places), strict=True)
    ]


def _advice(advice: Advice, fit: Fit, rule: Rule, metric: str, unit: str) -> dict[str, Any]:
    def effort(amount: float) -> str:
        return f"{amount:,.1f} h" if unit == "hours" else f"a cost of {amount:,.0f}"

    return {
        "recommendation": advice.decision.recommendation,
        "until": advice.decision.until,
        "gain_ahead": advice.decision.gain,
        "shape": fit.shape,
        "weight": round(advice.weight, 4),
        "agreement": round(advice.agreement, 4),
        "is_firm": advice.is_firm,
        "sentence": sentence(advice, fit, rule, metric, effort),
    }
