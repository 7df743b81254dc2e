"""The rows of the journal that belong to a roll-out, and which of them were slow."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import polars as pl

from vitok.journal.records import FAILED
from vitok.loop.journals import JournalReader
from vitok.loop.project import Project
from vitok.model.bundle import load_manifest
from vitok.registry.rollouts import Rollout
from vitok.release.decide_frame import rows_that_fit
from vitok.release.plan import Plan
from vitok.stats.intervals import wilson

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_SKEW = timedelta(hours=1)  # by which a worker's clock may be off
_PAST = timedelta(days=7)
_LEAST_ROWS, _LEAST_OF_SIZE, _MOST_ROWS = 200, 100, 50_000
_SLOT = "100ms"
_LIVE = ("champion", "challenger", "variant", "fallback")
# The version that was to answer a row failed: nobody answered, another version did, or the charter's default.
HAS_FAILED = (pl.col("action") == FAILED) | pl.col("routed").is_not_null() | (pl.col("role") == "fallback")


class RowFilter(NamedTuple):
    """Which rows are looked at.

    Args:
        until: Those that were asked by this moment; None for all.
        seen: For each worker those up to this record; None for all.
    """

    until: datetime | None
    seen: dict[str, int] | None


def rollout_rows(
    project: Project, journal: JournalReader, rollout: Rollout, plans: Sequence[Plan], known: RowFilter
) -> pl.DataFrame:
    """The rows that were asked under the plans of a roll-out, in the order of these plans.

    A row belongs to a plan by its epoch, not by the clock of its worker. Rows for which a caller named the version
    are left out: nobody drew their arm. So are rows outside of the segment that the plan limits the new version to.

    Returns:
        Columns of the journal; `is_new` (routed to the new version), `is_shadow`, `failed`, and `share` (of the new
        version under the row's plan).
    """
    conditions = [arm.when for plan in plans for arm in plan.arms if arm.when is not None]
    end = None if known.until is None else rollout.ended  # one question for all moments of one that is over
    rows = journal.since(rollout.started - _SKEW, end, with_inputs=bool(conditions))
    shares = {plan.epoch: _share(plan, rollout.version) for plan in plans}
    rows = rows.filter(pl.col("epoch").is_in(list(shares)))
    if known.until is not None:
        rows = rows.filter(pl.col("received") <= known.until)
    if known.seen is not None:
        last = pl.col("worker").replace_strict(known.seen, default=-1, return_dtype=pl.Int64)
        rows = rows.filter(pl.col("seq") <= last)
    chosen = pl.coalesce("routed", "version")
    rows = rows.with_columns(
        is_new=chosen == rollout.version,
        is_shadow=pl.col("role") == "shadow",
        failed=HAS_FAILED,
        share=pl.col("epoch").replace_strict(shares, return_dtype=pl.Float64),
    )
    mine = chosen.is_in([rollout.version, rollout.champion]) & pl.col("role").is_in([*_LIVE, "shadow"])
    rows = rows.filter(mine).sort("epoch", "received", "worker", "seq")
    return _inside(project, journal, rows, plans) if conditions else rows


def _share(plan: Plan, version: int) -> float:
    return next((arm.share for arm in plan.arms if arm.version == version), 0.0)


def _inside(
    project: Project, journal: JournalReader, rows: pl.DataFrame, plans: Sequence[Plan]
) -> pl.DataFrame:
    """Without the rows that could not have reached the new version."""
    parts = []
    for plan in plans:
        part = rows.filter(pl.col("epoch") == plan.epoch)
        limited = next((arm for arm in plan.arms if arm.when is not None), None)
        if limited is not None and limited.when is not None and part.height:
            inputs = load_manifest(project.blobs, limited.digest).inputs
            frame = journal.inputs(part, {field.name: field.kind for field in inputs})
            part = part.filter(pl.Series(rows_that_fit(frame, limited.when)))
        parts.append(part)
    return pl.concat(parts)


def champion_baseline(journal: JournalReader, champion: int, now: datetime) -> dict[str, Any]:
    """What the champion did in the week before a roll-out: how long it took, and how often it failed.

    Returns:
        `slow`: for each size of a batch (as power of two) the percentiles of its time in microseconds; `rates`: upper
        bounds of the shares of failed rows and of those beyond each percentile.
    """
    rows = journal.since(now - _PAST)
    rows = rows.filter((pl.coalesce("routed", "version") == champion) & pl.col("role").is_in(_LIVE))
    rows = rows.tail(_MOST_ROWS)
    failed = rows.filter(HAS_FAILED).height
    found: dict[str, Any] = {"slow": _slow(rows), "rates": {}}
    if rows.height:
        found["rates"]["failed"] = wilson(failed, rows.height, 0.9)[1]
        found["rates"] |= {name: 1 - level for name, level in PERCENTILES.items()}
    return found


def slow_flags(rows: pl.DataFrame, baseline: dict[str, Any], limit: float) -> pl.DataFrame:
    """Rows with how slow they were: the first of each tenth of a second, with a flag for each percentile.

    Rows that were scored together share their time, so only one of them counts. Where the champion had too little
    traffic before the roll-out, its first rows in it are the measure, and rows before their last do not count.

    Args:
        limit: The multiple of the champion's percentile from which on a row is slow.
    """
    timed = rows.filter(pl.col("micros").is_not_null())
    slow = {int(size): found for size, found in baseline.get("slow", {}).items()}
    if not slow:
        first = timed.filter(~pl.col("is_new") & ~pl.col("is_shadow")).head(_LEAST_ROWS)
        if first.height < _LEAST_ROWS:
            return _flagged(timed.clear(), {0: dict.fromkeys(PERCENTILES, 1.0)}, limit)
        slow = {int(size): found for size, found in _slow(first).items()}
        timed = timed.filter(pl.col("received") > first["received"].max())
    return _flagged(one_of_each_slot(timed), slow, limit)


def one_of_each_slot(rows: pl.DataFrame) -> pl.DataFrame:
    """The first row with a time of each tenth of a second; rows that were scored together share theirs."""
    slots = rows.filter(pl.col("micros").is_not_null())
    slots = slots.with_columns(slot=pl.col("received").dt.truncate(_SLOT))
    return slots.unique(["slot", "is_shadow"], keep="first", maintain_order=True).drop("slot")


def _flagged(rows: pl.DataFrame, slow: dict[int, dict[str, float]], limit: float) -> pl.DataFrame:
    sizes = sorted(slow)
    size = _size()
    nearest = {each: min(sizes, key=lambda known: (abs(known - each), known)) for each in range(32)}
    flags = {
        name: pl.col("micros")
        > limit * size.replace_strict({each: slow[near][name] for each, near in nearest.items()})
        for name in PERCENTILES
    }
    return rows.with_columns(**flags)


def _slow(rows: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Percentiles of the time by size of the batch, for sizes that occur often enough."""
    timed = rows.filter(pl.col("micros").is_not_null()).with_columns(size=_size())
    grouped = timed.group_by("size").agg(
        pl.len(), *(pl.col("micros").quantile(level).alias(name) for name, level in PERCENTILES.items())
    )
    enough = grouped.filter(pl.col("len") >= _LEAST_OF_SIZE).sort("size")
    if enough.is_empty() and timed.height >= _LEAST_ROWS:  # many sizes, each of them rare
        enough = grouped.sort("len").tail(1)
    return {str(row["size"]): {name: row[name] for name in PERCENTILES} for row in enough.to_dicts()}


def _size() -> pl.Expr:
    return pl.col("together").clip(1).log(2).floor().cast(pl.Int64).clip(0, 31)
