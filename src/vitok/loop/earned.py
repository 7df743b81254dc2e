"""What a project has earned so far: money and the KPI by period, whether its advice is followed, and if that pays.

Money is counted on rows whose label has come, by the charter's costs, and against doing what one would without a model:
flagging nobody. Its interval holds at all times at once, so that one may look every day.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import polars as pl

from vitok.charter.model import Charter
from vitok.economics.cash import middle
from vitok.errors import NotFound, UserMistake
from vitok.journal.ledger import Ledger
from vitok.journal.records import as_text
from vitok.kernel.clock import format_time, parse_duration
from vitok.loop.assemble import cost_tuple
from vitok.loop.incremental import against_champion, against_holdout
from vitok.loop.journals import JournalReader, scored_rows
from vitok.loop.outcome_values import row_figures
from vitok.loop.project import Project
from vitok.model.bundle import Manifest, load_manifest
from vitok.registry import releases
from vitok.release.holdout import HELD_OUT
from vitok.stats.estimates import Estimate, estimate
from vitok.stats.groups import independent_difference
from vitok.stats.intervals import wilson
from vitok.stats.running_mean import running_mean
from vitok.stats.scores import Undecidable

Period = Literal["day", "week", "month"]
_EVERY = {"day": "1d", "week": "1w", "month": "1mo"}
_ALPHA = 0.10
_LEAST_ADVICE = 30
_SURE = 0.99  # a warning that comes by chance once in ten looks would be no warning
_YEAR = parse_duration("1y")


def project_earned(
    project: Project,
    *,
    by: Period = "month",
    start: datetime | None = None,
    end: datetime | None = None,
    journal: JournalReader | None = None,
) -> dict[str, Any]:
    """The object that `vitok earned --json` prints.

    Args:
        by: Length of the periods.
        start, end: Of the predictions; None for all.
        journal: None for the project's own.

    Returns:
        periods (start, rows, earned, over_nobody, kpi), total (over_nobody with its interval, None without costs),
        against_champion (money of new versions over the champion while both shared the traffic; empty without costs),
        against_holdout (money over units that are held out; None without such, or without costs),
        plan (cost and benefit that the charter states until now, ROI so far with its interval, over the units held out
        if there are enough; None without economics), kpi, advice.

    Raises:
        NotFound: nothing has been released.
        UserMistake: `by` is no period.
    """
    if by not in _EVERY:
        raise UserMistake("--by", f"there is no period {by!r}", f"Choose one of {', '.join(_EVERY)}.")
    with project.engine.connect() as connection:
        history = releases.all_releases(connection)
    if not history:
        raise NotFound(
            "earned", "nothing has been released", "Release a version with `vitok release VERSION`."
        )
    manifest = load_manifest(project.blobs, history[-1].plan.champion.digest)
    known = (journal or Ledger(project.lake)).labelled(start, end, as_of=project.clock())
    rows = _with_money(project, manifest, known.filter(pl.col("role") != "shadow"))
    kpi = project.charter.goal.kpi
    metric = None if kpi is None else kpi.metric
    total = _total(rows)
    kept_out = against_holdout(history, rows) if total is not None else None
    return {
        "periods": [
            _period(project, manifest, time, part, metric)
            for (time,), part in rows.group_by(pl.col("time").dt.truncate(_EVERY[by]), maintain_order=True)
        ],
        "total": total,
        "against_champion": against_champion(history, rows) if total is not None else [],
        "against_holdout": kept_out,
        "plan": _against_plan(project.charter, rows, total, kept_out),
        "kpi": None
        if kpi is None
        else {"name": kpi.name, "base": kpi.base, "target": kpi.target, "metric": kpi.metric},
        "advice": _advice(rows),
    }


def _with_money(project: Project, manifest: Manifest, known: pl.DataFrame) -> pl.DataFrame:
    """Labelled rows in the order of time; with costs also `profit`, and `over`: profit over flagging nobody."""
    rows = known.sort("time", "id").with_columns(is_shadow=pl.lit(False))
    rows = row_figures(project, manifest, rows)[0] if manifest.classes else rows
    costs = cost_tuple(project)
    if "profit" in rows.columns and costs is not None:
        nobody = pl.when(pl.col("conversion") == 1).then(costs[2]).otherwise(costs[3])
        rows = rows.with_columns(over=pl.col("profit") - nobody)
    if manifest.positive is not None:
        positive = as_text(manifest.classes[manifest.positive])
        rows = rows.with_columns(flagged=pl.col("decision") == positive)
    return rows


def _period(
    project: Project, manifest: Manifest, time: datetime, rows: pl.DataFrame, metric: str | None
) -> dict[str, Any]:
    has_money = "over" in rows.columns
    return {
        "start": format_time(time),
        "rows": rows.height,
        "earned": round(float(rows["profit"].sum()), 2) if has_money else None,
        "over_nobody": round(float(rows["over"].sum()), 2) if has_money else None,
        "kpi": _metric(project, manifest, rows, metric),
    }


def _metric(
    project: Project, manifest: Manifest, rows: pl.DataFrame, metric: str | None
) -> dict[str, Any] | None:
    if metric is None:
        return None
    try:
        return estimate(metric, scored_rows(rows, manifest, cost_tuple(project))).as_json()
    except (Undecidable, KeyError):
        return None


def _total(rows: pl.DataFrame) -> dict[str, Any] | None:
    """Money over flagging nobody; its interval, over sums of days, is null while these are fewer than ten."""
    if "over" not in rows.columns or rows.height == 0:
        return None
    days = rows.group_by(pl.col("time").dt.truncate("1d"), maintain_order=True).agg(pl.col("over").sum())
    low: float | None = None
    high: float | None = None
    with suppress(Undecidable):
        _, least, most = running_mean(days["over"].to_numpy().astype(np.float64), _ALPHA)
        low, high = round(least * days.height, 2), round(most * days.height, 2)
    return {
        "rows": rows.height,
        "earned": round(float(rows["profit"].sum()), 2),
        "over_nobody": round(float(rows["over"].sum()), 2),
        "low": low,
        "high": high,
    }


def _against_plan(
    charter: Charter, rows: pl.DataFrame, total: dict[str, Any] | None, held: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Costs and benefit that the charter states for the time of these rows, and ROI so far.

    The benefit is what was earned over the units held out, where there are enough of them; else over flagging nobody.
    """
    economics = charter.economics
    if economics is None or total is None or rows.height == 0:
        return None
    first, last = rows["time"].min(), rows["time"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    years = max(last - first, timedelta(days=1)) / _YEAR
    cost = middle(economics.build) + middle(economics.yearly) * years
    benefit = economics.benefit
    planned = None
    if benefit.events_per_year is not None and benefit.prevented is not None:
        planned = middle(benefit.value) * middle(benefit.events_per_year) * middle(benefit.prevented) * years
    earned = {"value": total["over_nobody"], "low": total["low"], "high": total["high"]}
    if held is not None and held["total"] is not None:
        earned = held["total"]
    roi = {
        name: None if cost <= 0 or figure is None else round((figure - cost) / cost, 4)
        for name, figure in earned.items()
    }
    return {
        "since": format_time(first),
        "years": round(years, 4),
        "cost": round(cost, 2),
        "planned_benefit": None if planned is None else round(planned, 2),
        "roi": roi,
        "roi_against": "holdout" if held is not None and held["total"] is not None else "nobody",
    }


def _advice(rows: pl.DataFrame) -> dict[str, Any] | None:
    """Whether people follow flags, and whether following changes what happens; None if nobody says.

    If flagged rows turn out otherwise where the advice was followed, the labels tell of the world after the advice: a
    model that is trained on them learns from its own effect.
    """
    if "flagged" not in rows.columns:
        return None
    rows = rows.filter(pl.col("action") != HELD_OUT)
    told = rows.filter(pl.col("flagged") & pl.col("followed").is_not_null())
    if told.height == 0:
        return None
    followed, ignored = told.filter("followed"), told.filter(~pl.col("followed"))
    share = _share(followed.height, told.height)
    found: dict[str, Any] = {
        "flagged": int(rows["flagged"].sum()),
        "told": told.height,
        "followed": share.as_json(),
        "positive_followed": None,
        "positive_ignored": None,
        "difference": None,
        "feeds_back": None,
    }
    if min(followed.height, ignored.height) < _LEAST_ADVICE:
        return found
    yes, no = (_share(int(part["conversion"].sum()), part.height, _SURE) for part in (followed, ignored))
    apart = independent_difference(yes, no)
    return found | {
        "positive_followed": yes.as_json(),
        "positive_ignored": no.as_json(),
        "difference": apart.as_json(),
        "feeds_back": apart.low > 0 or apart.high < 0,
    }


def _share(hits: int, rows: int, level: float = 0.90) -> Estimate:
    return Estimate(hits / rows, *wilson(hits, rows, level), rows, "Wilson")
