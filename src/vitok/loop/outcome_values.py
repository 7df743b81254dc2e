"""What outcomes say of a roll-out: one figure for each unit, right decisions or money, once its outcomes are due."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from vitok.journal.records import as_text
from vitok.loop.assemble import cost_tuple
from vitok.loop.journals import JournalReader
from vitok.loop.project import Project
from vitok.model.bundle import Manifest, load_manifest
from vitok.registry import versions
from vitok.registry.rollouts import Rollout
from vitok.release.guards import Values, judge_split
from vitok.release.holdout import HELD_OUT
from vitok.stats.scores import Floats

_UNIT_SPAN = timedelta(days=1)  # of a unit that comes again and again its first day counts, as one value

OUTCOMES = ("quality", "profit", "conversion")


@dataclass(frozen=True)
class Figures:
    """Figures of units whose outcomes were due.

    Args:
        live: One line for each unit in the order of first sight: `is_new`, `share`, `due` (when), `quality`, for a
            binary task `conversion`, and `profit` if there are costs.
        paired: The same for rows that a shadow scored as well: the figures of both.
        spans: The least and the most of each figure.
    """

    live: pl.DataFrame
    paired: pl.DataFrame
    spans: dict[str, tuple[float, float]]

    def of(self, name: str) -> Values:
        """A figure of two arms; empty where it cannot be told, or where labels come for one arm more than the other."""
        low, high = self.spans.get(name, (0.0, 1.0))
        rows = self._compared(name)
        values = rows[name].to_numpy().astype(float) if rows.height else np.empty(0)
        arms = rows["is_new"].to_numpy().astype(bool)
        return Values(values, arms, rows["share"].to_numpy().astype(float), low, high)

    def due(self, name: str, start: datetime, horizon: timedelta) -> Floats:
        """For each value of `of` the part of a horizon after which it was due."""
        micros = horizon / timedelta(microseconds=1)
        since = self._compared(name).select((pl.col("due") - start).dt.total_microseconds() / micros)
        return since.to_series().to_numpy().astype(float)

    def _compared(self, name: str) -> pl.DataFrame:
        rows = self.live if name in self.live.columns else self.live.clear()
        rows = rows.filter((pl.col("share") > 0) & (pl.col("share") < 1))
        counts = rows.group_by("share", maintain_order=True).agg(
            old=(~pl.col("is_new")).sum(), new=pl.col("is_new").sum()
        )
        pairs = [(int(old), int(new)) for old, new in counts.select("old", "new").iter_rows()]
        return rows.clear() if judge_split(pairs, counts["share"].to_list()).broken else rows

    def pairs(self, name: str) -> tuple[Floats, Floats, float]:
        """A figure of rows that both versions scored: the champion's, the shadow's, and the most they can differ."""
        low, high = self.spans.get(name, (0.0, 1.0))
        if name not in self.paired.columns or self.paired.height == 0:
            return np.empty(0), np.empty(0), high - low
        old, new = (self.paired[each].to_numpy().astype(float) for each in (name, f"{name}_new"))
        return old, new, high - low


_NOBODY = pl.DataFrame(schema={"is_new": pl.Boolean, "share": pl.Float64, "due": pl.Datetime("us", "UTC")})
NO_FIGURES = Figures(_NOBODY, _NOBODY, {})


def unit_values(
    project: Project, journal: JournalReader, rollout: Rollout, rows: pl.DataFrame, now: datetime
) -> Figures:
    """The figures of the units of a roll-out.

    Rows count from the moment on when their label is due, whether it came early or late: so those that come early do
    not decide alone.

    Args:
        rows: As `rollout_rows` gives them.
    """
    with project.engine.connect() as connection:
        digest = versions.get(connection, rollout.champion).digest
    manifest = load_manifest(project.blobs, digest)
    due = rows.filter(pl.col("time") + (project.charter.task.label_delay or timedelta()) <= now)
    # What units that are held out were answered is nobody's merit and nobody's fault.
    due = due.filter(pl.col("decision").is_not_null() & ~pl.col("failed") & (pl.col("action") != HELD_OUT))
    reported = journal.reported(due.select("id"), now)
    labelled = due.join(reported, on="id", how="inner", maintain_order="left")
    figures, spans = row_figures(project, manifest, labelled)
    live = figures.filter(~pl.col("is_shadow")).unique("id", keep="first", maintain_order=True)
    shadow = figures.filter("is_shadow").unique("id", keep="first", maintain_order=True)
    names = list(spans)
    paired = live.join(shadow.select("id", *names), on="id", suffix="_new", maintain_order="left")
    return Figures(_by_unit(project, live, names, now), paired, spans)


def _by_unit(project: Project, rows: pl.DataFrame, names: list[str], now: datetime) -> pl.DataFrame:
    """One line for each unit: the mean of its first day, once all of it is due."""
    delay = project.charter.task.label_delay or timedelta()
    first, due = pl.col("time").min().over("unit"), pl.col("time") + delay
    if project.charter.task.entity is not None:
        due = first + _UNIT_SPAN + delay
        rows = rows.filter((pl.col("time") < first + _UNIT_SPAN) & (due <= now))
    rows = rows.filter(pl.col("is_new") == pl.col("is_new").first().over("unit")).with_columns(due=due)
    means = [pl.col(name).mean() for name in names]
    grouped = rows.group_by("unit", maintain_order=True)
    return grouped.agg(pl.col("is_new").first(), pl.col("share").first(), pl.col("due").max(), *means)


def row_figures(
    project: Project, manifest: Manifest, rows: pl.DataFrame
) -> tuple[pl.DataFrame, dict[str, tuple[float, float]]]:
    """Rows with `quality`, of a binary task `conversion`, with costs `profit`; and between what they lie."""
    if not manifest.classes:
        return _closeness(rows)
    texts = {json.dumps(value): as_text(value) for value in manifest.classes}
    truth = pl.col("value").replace_strict(texts, default=None, return_dtype=pl.String)
    rows = rows.with_columns(truth=truth).filter(pl.col("truth").is_not_null())
    rows = rows.with_columns(quality=(pl.col("truth") == pl.col("decision")).cast(pl.Float64))
    spans = {"quality": (0.0, 1.0)}
    if manifest.positive is None:
        return rows, spans
    positive = as_text(manifest.classes[manifest.positive])
    rows = rows.with_columns(conversion=(pl.col("truth") == positive).cast(pl.Float64))
    spans["conversion"] = (0.0, 1.0)
    costs = cost_tuple(project)
    if costs is None:
        return rows, spans
    is_so, is_said = pl.col("truth") == positive, pl.col("decision") == positive
    tp, fp, fn, tn = costs
    money = pl.when(is_so & is_said).then(tp).when(is_said).then(fp).when(is_so).then(fn).otherwise(tn)
    return rows.with_columns(profit=money.cast(pl.Float64)), spans | {"profit": (min(costs), max(costs))}


def _closeness(rows: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, tuple[float, float]]]:
    """For values: 1 less the absolute error, in shares of the range of the first hundred true values, at least 0.

    The scale must be known before the values that it measures: those hundred do not count.
    """
    truth = pl.col("value").cast(pl.Float64, strict=False)
    said = pl.col("decision").cast(pl.Float64, strict=False)
    rows = rows.with_columns(truth=truth, said=said).filter(
        pl.col("truth").is_finite() & pl.col("said").is_finite()
    )
    known = rows.filter(~pl.col("is_shadow")).head(100)
    low, high = (known["truth"].quantile(level) for level in (0.05, 0.95))
    spans = {"quality": (0.0, 1.0)}
    if low is None or high is None or high <= low:
        return rows.clear().with_columns(quality=pl.lit(None, dtype=pl.Float64)), spans
    error = (pl.col("truth") - pl.col("said")).abs() / (high - low)
    counted = rows.filter(~pl.col("id").is_in(known["id"].implode()))
    return counted.with_columns(quality=(1 - error).clip(0.0, 1.0)), spans
