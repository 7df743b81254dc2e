"""`vitok ab read`: what an A/B test has shown so far, in words, money, and through time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from vitok.errors import NotFound, UserMistake
from vitok.kernel.clock import format_time
from vitok.loop.assemble import cost_tuple
from vitok.loop.journals import JournalReader
from vitok.loop.observe import observe
from vitok.loop.outcome_values import Figures
from vitok.loop.project import Project
from vitok.loop.rollout import plans_of
from vitok.loop.traffic import units_of
from vitok.registry import rollouts
from vitok.registry.rollouts import Rollout
from vitok.release.guards import Finding, Values
from vitok.stats.arm_difference import ArmDifference

_POINTS = 200  # of the confidence sequence
_TRAFFIC_DAYS, _YEAR_DAYS = 28, 365.25
_DAY = timedelta(days=1)
Interval = tuple[float, float, float]


def read_ab(project: Project, journal: JournalReader, number: int | None = None) -> dict[str, Any]:
    """The object that `vitok ab read --json` prints.

    Args:
        number: Of the roll-out; None for the last A/B test.

    Returns:
        rollout, version, champion, state, primary, decision, sentence, difference ({value, low, high, level}), units,
        money, guards, sequence ([{time, value, low, high}]), started, ends, ended.

    Raises:
        NotFound: there is no such test.
        UserMistake: the roll-out is none.
    """
    rollout, reason = _chosen(project, number)
    assert rollout.way.primary is not None
    with project.engine.connect() as connection:
        plans = plans_of(connection, rollout.number)
    now = project.clock()
    seen = observe(project, journal, rollout, plans, now)
    evidence, figures = seen.evidence, seen.figures
    name, effect = rollout.way.primary
    values, alpha = figures.of(name), rollout.way.limits.alpha
    sequence = _sequence(values, _moments(figures, values, now), alpha)
    found = sequence[-1][1:] if sequence else None
    if evidence.primary is not None and rollout.way.reading != "always" and found is not None:
        found = found[0], evidence.primary.low, evidence.primary.high
    ends = rollout.started + timedelta(seconds=rollout.way.longest_seconds)
    decision = _decision(rollout, evidence.primary, found, effect)
    news = int(np.count_nonzero(values.arms))
    return _told(rollout, reason, ends) | {
        "primary": {"name": name, "effect": effect, "reading": rollout.way.reading},
        "decision": decision,
        "sentence": _sentence(rollout, decision, found, (ends - now) / _DAY),
        "difference": None if found is None else {**_interval(found), "level": 1 - alpha},
        "units": {"champion": len(values.values) - news, "challenger": news},
        "money": _money(project, figures, alpha, now),
        "split": None if evidence.split is None else _guard(evidence.split),
        "guards": [_guard(each) for each in evidence.findings],
        "sequence": [{"time": format_time(point[0]), **_interval(point[1:])} for point in sequence],
    }


def _told(rollout: Rollout, reason: str, ends: datetime) -> dict[str, Any]:
    """What does not depend on evidence."""
    return {
        "rollout": rollout.number,
        "version": rollout.version,
        "champion": rollout.champion,
        "state": rollout.state,
        "reason": reason,
        "share": rollout.way.stages[-1].share,
        "started": format_time(rollout.started),
        "ends": format_time(ends),
        "ended": None if rollout.ended is None else format_time(rollout.ended),
    }


def _chosen(project: Project, number: int | None) -> tuple[Rollout, str]:
    """The roll-out, and why it is where it is."""
    with project.engine.connect() as connection:
        if number is None:
            tests = [each for each in rollouts.all_rollouts(connection) if each.way.primary is not None]
            if not tests:
                remedy = "Begin one: `vitok release VERSION --strategy ab`."
                raise NotFound("ab read", "no A/B test has been started", remedy)
            number = tests[-1].number
        found = rollouts.get(connection, number)
        steps = rollouts.all_transitions(connection, number)
    if found.way.primary is None:
        what = f"has the strategy {found.way.strategy}: it compares nothing to read"
        raise UserMistake(f"roll-out {number}", what, f"See `vitok releases show {number}`.")
    return found, steps[-1].reason if steps else ""


def _moments(figures: Figures, values: Values, now: datetime) -> list[datetime]:
    """When the outcome of each value was due, never falling; empty where the values tell nothing."""
    compared = figures.live.filter((pl.col("share") > 0) & (pl.col("share") < 1))
    if compared.height != len(values.values) or compared.height == 0:
        return []
    moments: list[datetime] = compared.select(pl.min_horizontal("due", pl.lit(now)).cum_max().alias("due"))[
        "due"
    ].to_list()
    return moments


def _sequence(
    values: Values, moments: list[datetime], alpha: float
) -> list[tuple[datetime, float, float, float]]:
    """Difference and interval after each of at most so many stretches of the units."""
    found = []
    for end, difference in _stretches(values) if moments else ():
        arms = values.arms[:end]
        if arms.all() or not arms.any():
            continue
        seen = values.values[:end]
        estimate = float(seen[arms].mean() - seen[~arms].mean())
        found.append((moments[end - 1], estimate, *difference.interval(alpha)))
    return found


def _stretches(values: Values) -> Iterator[tuple[int, ArmDifference]]:
    state, start = ArmDifference.start(values.low, values.high), 0
    for end in np.unique(np.linspace(1, len(values.values), min(_POINTS, len(values.values))).astype(int)):
        part = slice(start, int(end))
        state = state.update_many(values.values[part], values.arms[part], values.shares[part])
        start = int(end)
        yield start, state


def _decision(rollout: Rollout, primary: Finding | None, found: Interval | None, effect: float) -> str:
    """better, worse, no difference, too early, or open."""
    if primary is not None and primary.broken:
        return "worse"
    if primary is not None and primary.kept:
        return "better"
    if primary is None and rollout.way.reading != "always":
        return "too early"
    if found is not None and -effect < found[1] and found[2] < effect:
        return "no difference worth acting on"
    return "open"


def _sentence(rollout: Rollout, decision: str, found: Interval | None, days_left: float) -> str:
    assert rollout.way.primary is not None
    name, effect = rollout.way.primary
    new, old = f"Version {rollout.version}", f"version {rollout.champion}"
    if found is None:
        return (
            "Nothing is known yet: no outcomes of both versions are due, or they come for one of them only."
        )
    value, low, high = found
    told = f"{name} differs by {value:+.4g} (between {low:+.4g} and {high:+.4g})"
    if decision in ("better", "worse"):
        sure = abs(low if decision == "better" else high) >= effect and low * high > 0
        how = f"by more than the {effect:g} that is worth acting on" if sure else "for certain"
        return f"{new} is {decision} than {old} {how}: {told}."
    if decision == "no difference worth acting on":
        return f"{new} and {old} do not differ by {effect:g} or more: {told}."
    if decision == "too early":
        return f"This test is read at its end, in {days_left:.1f} days; until then nothing is decided. So far {told}."
    left = f"; {days_left:.1f} days are left" if rollout.ended is None and days_left > 0 else ""
    return f"Not decided: {told}{left}."


def _money(project: Project, figures: Figures, alpha: float, now: datetime) -> dict[str, Any] | None:
    """What the difference is worth: a decision, and a year of decisions; None without costs or outcomes."""
    if cost_tuple(project) is None or "profit" not in figures.spans:
        return None
    values = figures.of("profit")
    if values.arms.all() or not values.arms.any():
        return None
    state = ArmDifference.start(values.low, values.high)
    state = state.update_many(values.values, values.arms, values.shares)
    means = (float(values.values[values.arms].mean()), float(values.values[~values.arms].mean()))
    each = (means[0] - means[1], *state.interval(alpha))
    seen = units_of(project.lake, now, _TRAFFIC_DAYS)
    yearly = None if seen is None else seen.rows / seen.days * _YEAR_DAYS
    return {
        "per_decision": _interval(each),
        "decisions_per_year": yearly,
        "from_days": None if seen is None else seen.days,
        "per_year": None
        if yearly is None
        else _interval((each[0] * yearly, each[1] * yearly, each[2] * yearly)),
    }


def _guard(found: Finding) -> dict[str, str]:
    state = "broken" if found.broken else "kept" if found.kept else "open"
    return {"guard": found.guard, "state": state, "sentence": found.sentence}


def _interval(found: Interval) -> dict[str, float]:
    return dict(zip(("value", "low", "high"), found, strict=True))
