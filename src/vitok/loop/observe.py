"""What production has shown of a roll-out: rows of the journal become units, events and values, and these findings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from msgspec import structs

from vitok.loop.journals import JournalReader
from vitok.loop.outcome_values import NO_FIGURES, OUTCOMES, Figures, unit_values
from vitok.loop.project import Project
from vitok.loop.rollout_rows import PERCENTILES, RowFilter, one_of_each_slot, rollout_rows, slow_flags
from vitok.model.bundle import load_manifest
from vitok.registry import versions
from vitok.registry.rollouts import Rollout
from vitok.release.guards import (
    MOST_ERRORS,
    Events,
    Finding,
    Limits,
    judge_against_past,
    judge_conversions,
    judge_events,
    judge_pairs,
    judge_slowness,
    judge_split,
    judge_values,
)
from vitok.release.looks import LOOKS, judge_at_looks
from vitok.release.plan import ACCEPTED, Plan
from vitok.release.rollout import Evidence

FAILURES = "failed"


@dataclass(frozen=True)
class Observed:
    """Evidence, and what it is made of.

    Args:
        seen: For each worker the last record that was there.
        figures: What outcomes say; empty where nothing of them decides.
    """

    evidence: Evidence
    seen: dict[str, int]
    figures: Figures


def observe(
    project: Project,
    journal: JournalReader,
    rollout: Rollout,
    plans: Sequence[Plan],
    now: datetime,
    seen: dict[str, int] | None = None,
    *,
    is_past: bool = False,
) -> Observed:
    """What is known of a roll-out at a moment.

    Args:
        plans: Those that it has put in force, oldest first.
        seen: For each worker the last record to look at, to tell what was known then; None for all that is there.
        is_past: Whether only rows that were asked by the moment count, for a picture of the way to it.
    """
    rows = rollout_rows(project, journal, rollout, plans, RowFilter(now if is_past else None, seen))
    stage = rollout.way.stages[rollout.stage]
    by_outcomes = rollout.way.primary is not None or not set(OUTCOMES).isdisjoint(rollout.way.limits.names)
    figures = unit_values(project, journal, rollout, rows, now) if by_outcomes else NO_FIGURES
    if stage.is_shadow:
        findings = _of_pairs(rollout, rows, figures)
        split, units = None, rows.filter("is_new")["unit"].n_unique()
    else:
        live = rows.filter(~pl.col("is_shadow"))
        is_alone = stage.share == 1  # nobody answers beside it
        findings = _of_past(rollout, live) if is_alone else _of_arms(rollout, live, figures)
        split = None if is_alone else _split(live)
        here = live.filter(pl.col("is_new") & (pl.col("epoch") == plans[-1].epoch))
        units = here["unit"].n_unique()
    answers = rows.filter(pl.col("is_new") & ~pl.col("is_shadow")).height
    evidence = Evidence(
        tuple(findings),
        split,
        _primary(rollout, figures, now),
        units,
        answers,
        _hangs(project, rollout),
        _obstacle(project, rollout),
    )
    last = rows.group_by("worker").agg(pl.col("seq").max()).sort("worker")
    return Observed(evidence, dict(last.iter_rows()), figures)


def _of_arms(rollout: Rollout, live: pl.DataFrame, figures: Figures) -> list[Finding]:
    """Two arms with traffic of their own."""
    limits, found = rollout.way.limits, list[Finding]()
    both = live.filter((pl.col("share") > 0) & (pl.col("share") < 1))
    failed = events(both, FAILURES)
    found.append(_errors(limits, lambda most: judge_events("errors", failed, most, limits, limits.each)))
    if limits.latency is not None:
        flagged = slow_flags(both, rollout.baseline, limits.latency)
        for name in PERCENTILES:
            seen = events(flagged, name)
            part = limits.each / len(PERCENTILES)
            found.append(judge_events(f"latency {name}", seen, limits.latency, limits, part))
    for name in ("quality", "profit"):
        limit = getattr(limits, name)
        if limit is not None:
            found.append(judge_values(name, figures.of(name), limit, limits, limits.each))
    if limits.conversion is not None:
        values = figures.of("conversion")
        found.append(judge_conversions("conversion", values, limits.conversion, limits, limits.each))
    return [*found, *_slowness(both, limits)]


def _errors(limits: Limits, judge: Callable[[float], Finding]) -> Finding:
    """How often the new version fails; without a limit of the charter that takes no version back.

    Others answer where it fails. So without this finding a version could take over on answers that were none of its.
    """
    if limits.errors is not None:
        return judge(limits.errors)
    return structs.replace(judge(MOST_ERRORS), broken=False)


def _slowness(live: pl.DataFrame, limits: Limits) -> list[Finding]:
    """Whether the new version keeps a fixed time."""
    if limits.latency_p95 is None:
        return []
    flagged = one_of_each_slot(live).with_columns(slow=pl.col("micros") > 1000 * limits.latency_p95)
    return [judge_slowness("latency_p95", events(flagged, "slow"), limits, limits.each)]


def _of_pairs(rollout: Rollout, rows: pl.DataFrame, figures: Figures) -> list[Finding]:
    """A shadow: both versions scored the same rows."""
    limits, found = rollout.way.limits, list[Finding]()
    failed = coins(_pairs(rows), FAILURES)
    found.append(_errors(limits, lambda most: judge_events("errors", failed, most, limits, limits.each)))
    if limits.latency is not None:
        pairs, part = (
            _pairs(slow_flags(rows, rollout.baseline, limits.latency)),
            limits.each / len(PERCENTILES),
        )
        for name in PERCENTILES:
            seen = coins(pairs, name)
            found.append(judge_events(f"latency {name}", seen, limits.latency, limits, part))
    for name in ("quality", "profit"):
        limit = getattr(limits, name)
        if limit is not None:
            found.append(judge_pairs(name, *figures.pairs(name), limit, limits))
    return [*found, *_slowness(rows, limits)]


def _pairs(rows: pl.DataFrame) -> pl.DataFrame:
    """The first row of each unit that both versions scored; what the new one did ends in `_new`."""
    shadows = rows.filter("is_new").unique("id", keep="first", maintain_order=True)
    pairs = rows.filter(~pl.col("is_new")).join(shadows, on="id", suffix="_new", maintain_order="left")
    return pairs.unique("unit", keep="first", maintain_order=True)


def _of_past(rollout: Rollout, live: pl.DataFrame) -> list[Finding]:
    """One version answers all: it is compared with what the champion did before."""
    limits, found = rollout.way.limits, list[Finding]()
    rates = rollout.baseline.get("rates", {})
    failed, rate = events(live, FAILURES), rates.get(FAILURES, 0.0)
    found.append(
        _errors(limits, lambda most: judge_against_past("errors", failed, rate * most, limits, limits.each))
    )
    if limits.latency is not None:
        flagged = slow_flags(live, rollout.baseline, limits.latency)
        for name in PERCENTILES:
            part = limits.each / len(PERCENTILES)
            seen = events(flagged, name)
            found.append(judge_against_past(f"latency {name}", seen, rates.get(name, 0.0), limits, part))
    return [*found, *_slowness(live, limits)]


def events(rows: pl.DataFrame, flag: str) -> Events:
    """The units of two arms, and the first event of each.

    Args:
        rows: In order, with `unit`, `is_new`, `share` and the flag.
    """
    first = rows.filter(flag).unique("unit", keep="first", maintain_order=True)
    news = rows.filter("is_new").unique("unit", keep="first", maintain_order=True)
    champions = rows.filter(~pl.col("is_new"))["unit"].n_unique()
    return Events(
        first["is_new"].to_numpy().astype(bool),
        first["share"].to_numpy().astype(float),
        news[flag].to_numpy().astype(bool),
        (champions, news.height),
    )


def coins(pairs: pl.DataFrame, flag: str) -> Events:
    """Rows that both versions scored: where only one of them has the event it is a fair coin under equal rates."""
    differ = pairs.filter(pl.col(flag) != pl.col(f"{flag}_new"))
    return Events(
        differ[f"{flag}_new"].to_numpy().astype(bool),
        np.full(differ.height, 0.5),
        pairs[f"{flag}_new"].to_numpy().astype(bool),
        (pairs.height, pairs.height),
    )


def _split(live: pl.DataFrame) -> Finding:
    """Units at first sight, by the share that was in force."""
    first = live.unique("unit", keep="first", maintain_order=True)
    first = first.filter((pl.col("share") > 0) & (pl.col("share") < 1))
    counted = first.group_by("share", maintain_order=True).agg(
        old=(~pl.col("is_new")).sum(), new=pl.col("is_new").sum()
    )
    counts = [(int(old), int(new)) for old, new in counted.select("old", "new").iter_rows()]
    return judge_split(counts, counted["share"].to_list())


def _primary(rollout: Rollout, figures: Figures, now: datetime) -> Finding | None:
    """What an A/B test compares, read as the charter says; None before there is something to read."""
    way = rollout.way
    if way.primary is None:
        return None
    name, _ = way.primary
    alpha = way.limits.alpha
    if way.reading == "always":
        limits = Limits(None, None, None, None, way.limits.negligible, alpha / 2)  # of each side
        return judge_values(name, figures.of(name), 0.0, limits, alpha / 2)
    horizon = timedelta(seconds=way.longest_seconds)
    due, passed = figures.due(name, rollout.started, horizon), (now - rollout.started) / horizon
    return judge_at_looks(name, figures.of(name), due, passed, LOOKS if way.reading == "looks" else 1, alpha)


def _hangs(project: Project, rollout: Rollout) -> int:
    """Workers that the new version has hung since the roll-out began."""
    with project.engine.connect() as connection:
        digest = versions.get(connection, rollout.version).digest
    since = int(rollout.started.timestamp() * 1e9)
    marks = [path.name.rpartition("-")[2] for path in (project.state / "trouble").glob(f"{digest[:16]}-*")]
    return sum(mark.isdigit() and int(mark) >= since for mark in marks)


def _obstacle(project: Project, rollout: Rollout) -> str:
    """Why the new version may not answer any longer; empty if it may."""
    with project.engine.connect() as connection:
        version = versions.get(connection, rollout.version)
    if version.verdict != ACCEPTED:
        return f"the verdict of version {version.number} is {version.verdict!r} now"
    files = load_manifest(project.blobs, version.digest).files
    gone = [name for name, digest in files.items() if not project.blobs.has(digest)]
    return f"files of version {version.number} are gone: {', '.join(gone)}" if gone else ""
