"""What a new version earned beyond the champion, and the model beyond units that are held out: experiments, no guess.

Units are dealt by chance, so that the other side's rows of the same time say what these rows would have earned without
the new version, or without any.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from vitok.charter.answers import Holdout
from vitok.kernel.clock import format_time
from vitok.registry.releases import Release
from vitok.release.holdout import held_out
from vitok.release.plan import Plan
from vitok.stats.scores import Floats

_LEVEL = 0.90
_LEAST_UNITS = 30
_ROLES = ("challenger", "variant")


def against_champion(history: Sequence[Release], rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Money of each new version over the champion, on the rows of the plans under which they shared the traffic.

    Rows count for the version that they were dealt to, whoever answered in the end. Of plans that limit the new version
    to a segment nothing is said: its rows are unlike those of the champion.

    Args:
        history: All releases, oldest first.
        rows: Labelled rows of the journal with `profit`.

    Returns:
        version, champion, since, rows (of the new version), units (of both), per_1000 and total: value, low, high, each
        for one look at the level .90; the latest version last.
    """
    found: dict[tuple[int, int], list[tuple[pl.DataFrame, pl.DataFrame]]] = {}
    dealt = rows.with_columns(dealt=pl.coalesce("routed", "version")).filter(pl.col("role") != "shadow")
    for plan in _shared(history):
        part = dealt.filter(pl.col("epoch") == plan.epoch)
        for arm in plan.arms:
            if arm.role not in _ROLES or not 0 < arm.share < 1:
                continue
            pair = tuple(
                part.filter(pl.col("dealt") == each) for each in (arm.version, plan.champion.version)
            )
            if min(each["unit"].n_unique() for each in pair) >= _LEAST_UNITS:
                found.setdefault((arm.version, plan.champion.version), []).append((pair[0], pair[1]))
    return [{"version": new, "champion": old, **experiment(parts)} for (new, old), parts in found.items()]


def against_holdout(history: Sequence[Release], rows: pl.DataFrame) -> dict[str, Any] | None:
    """Money of all units that the system answered over those held out, while the same share of them was.

    Rows count for the side that their unit was drawn for, whoever answered in the end: rows of units held out whose
    version failed are among these too.

    Args:
        history: All releases, oldest first.
        rows: Labelled rows of the journal with `profit`.

    Returns:
        As `against_champion` of one version, with `held` (rows and units held out), `forgone` (what holding them out
        cost: value, low, high), and `why` there are no figures, if so; None if no unit was ever held out.
    """
    parts, held_rows, units = list[tuple[pl.DataFrame, pl.DataFrame]](), 0, set[str]()
    known: dict[Holdout, list[int]] = {}
    for release in history:
        if release.plan.policy.holdout is not None:
            known.setdefault(release.plan.policy.holdout, []).append(release.plan.epoch)
    if not known:
        return None
    answered = rows.filter(pl.col("role") != "shadow")
    for holdout, epochs in known.items():
        part = answered.filter(pl.col("epoch").is_in(epochs))
        is_held = pl.Series(held_out(holdout, part["unit"].to_list()), dtype=pl.Boolean)
        model, held = part.filter(~is_held), part.filter(is_held)
        held_rows, units = held_rows + held.height, units | set(held["unit"])
        if min(each["unit"].n_unique() for each in (model, held)) >= _LEAST_UNITS:
            parts.append((model, held))
    found: dict[str, Any] = {"held": {"rows": held_rows, "units": len(units)}, "why": None}
    if not parts:
        why = f"labels of {len(units)} units held out are too few, {_LEAST_UNITS} are needed"
        return found | {"rows": 0, "per_1000": None, "total": None, "forgone": None, "why": why}
    found |= experiment(parts)
    cost = {name: round(figure * held_rows / 1000, 2) for name, figure in found["per_1000"].items()}
    return found | {"forgone": cost}


def _shared(history: Sequence[Release]) -> list[Plan]:
    plans = {release.plan.epoch: release.plan for release in history}
    return [plan for plan in plans.values() if all(arm.when is None for arm in plan.arms)]


def experiment(parts: Sequence[tuple[pl.DataFrame, pl.DataFrame]]) -> dict[str, Any]:
    """What rows earned over what they would have earned on the other side, with an interval by units.

    Args:
        parts: For each span in which the shares stayed the same the rows of both sides, with `unit`, `time`, `profit`.
    """
    from scipy.special import stdtrit  # slow to import

    rows = sum(new.height for new, _ in parts)
    value, pulls = 0.0, []
    for new, old in parts:
        for side, sign in ((new, 1.0), (old, -1.0)):
            mean = _mean(side)
            value += sign * new.height * mean
            gap = (pl.col("profit") - mean) * sign * new.height / side.height
            pulls.append(side.select("unit", pull=gap))
    # A unit may have rows of several plans, and on both sides: all it adds is one draw.
    each: Floats = (
        pl.concat(pulls).group_by("unit").agg(pl.col("pull").sum())["pull"].to_numpy().astype(np.float64)
    )
    count = len(each)
    error = float(np.sqrt(count / (count - 1) * np.sum(each**2)))
    half = float(stdtrit(count - 1, (1 + _LEVEL) / 2)) * error
    total = {"value": value, "low": value - half, "high": value + half}
    return {
        "since": format_time(min(_first(new) for new, _ in parts)),
        "rows": rows,
        "units": count,
        "per_1000": {name: round(1000 * figure / rows, 2) for name, figure in total.items()},
        "total": {name: round(figure, 2) for name, figure in total.items()},
    }


def _mean(rows: pl.DataFrame) -> float:
    return float(rows["profit"].sum()) / rows.height


def _first(rows: pl.DataFrame) -> datetime:
    first = rows["time"].min()
    assert isinstance(first, datetime)
    return first
