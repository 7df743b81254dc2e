"""How a project is run: how well it answers, what is left of its promises, how fast trouble is noticed and ended."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from vitok.charter.serving import Slo
from vitok.journal.waiting import waiting_bytes
from vitok.kernel.clock import format_duration, format_time
from vitok.loop.alerts import alert_records
from vitok.loop.incident_acts import incident_figures
from vitok.loop.journals import JournalReader
from vitok.loop.outcomes import JOURNAL
from vitok.loop.project import Project
from vitok.monitor.incidents import seconds_of
from vitok.monitor.service import Budget, budget_of, service_figures
from vitok.registry import incidents, turns
from vitok.stats.latency import bucket_quantile
from vitok.store.counts import read_counts
from vitok.store.heartbeat import read_heartbeat

_MONTH = timedelta(days=30)


def operations_report(project: Project, journal: JournalReader, period: timedelta) -> dict[str, Any]:
    """The object that `vitok operations --json` prints.

    Args:
        period: What service, alerts and turns are reckoned over, back from now; promises have a period of their own.
    """
    now, slo = project.clock(), project.charter.serve.slo
    begin = now - period
    rows = _asked(journal, min(begin, now - slo.over) if slo else begin)
    inside = rows.filter(pl.col("received") >= begin)
    figures = service_figures(inside["action"].to_list(), inside["micros"].to_numpy(), period)
    quantiles = figures.latency_ms or (None, None, None)
    return {
        "begin": format_time(begin),
        "end": format_time(now),
        "rows": figures.rows,
        "rows_per_second": figures.per_second,
        "latency_ms": dict(zip(("p50", "p95", "p99"), quantiles, strict=True)),
        "availability": None if figures.failed is None else 1 - figures.failed,
        "shares": {
            "failed": figures.failed,
            "fallback": figures.fallback,
            "handed_over": figures.handed_over,
        },
        "slo": None if slo is None else _promises(slo, rows, now),
        "server": _server(project, now),
        "alerts": _alerts(project, begin),
        "incidents": _incidents(project, begin),
        "turns": _turns(project, begin, period),
    }


def _asked(journal: JournalReader, begin: datetime) -> pl.DataFrame:
    """Rows that somebody waited for: not those of shadows, and not those of `vitok predict`."""
    is_awaited = (pl.col("role") != "shadow") & ~pl.col("worker").str.starts_with("batch-")
    rows = journal.since(begin).filter(is_awaited)
    return rows.select("received", "action", pl.col("micros").cast(pl.Float64).fill_null(float("nan")))


def _promises(slo: Slo, rows: pl.DataFrame, now: datetime) -> dict[str, Any]:
    age = (now - rows["received"]).dt.total_microseconds().to_numpy() / 1e6
    failed = (rows["action"] == "failed").to_numpy()
    found = {"availability": _budget(budget_of(age, failed, slo.availability, slo.over))}
    if slo.latency_goal is not None:
        share, bound = slo.latency_goal
        micros = rows["micros"].to_numpy()
        measured = ~np.isnan(micros)
        found["latency"] = {
            "within_ms": bound * 1000,
            **_budget(budget_of(age[measured], micros[measured] > bound * 1e6, share, slo.over)),
        }
    return {"over": format_duration(slo.over), **found}


def _budget(found: Budget) -> dict[str, Any]:
    return {
        "objective": found.objective,
        "rows": found.total,
        "bad": found.bad,
        "good_share": 1 - found.bad / found.total if found.total else None,
        "budget_left": found.left,
        "burn": [
            {
                "long": format_duration(burn.rule.long),
                "short": format_duration(burn.rule.short),
                "limit": burn.limit,
                "long_rate": burn.long_rate,
                "short_rate": burn.short_rate,
                "too_fast": burn.is_too_fast,
                "severity": burn.rule.severity,
            }
            for burn in found.burns
        ],
    }


def _server(project: Project, now: datetime) -> dict[str, Any] | None:
    """What the workers have left of themselves; a server that has ended is still told of until the next one."""
    counts, keeper = read_counts(project.state), read_heartbeat(project.state)
    found: dict[str, Any] = {"journal_waiting_bytes": waiting_bytes(project.state / JOURNAL)}
    if keeper is not None:
        found["keeper_seen_seconds_ago"] = max(now.timestamp() - keeper.seen, 0.0)
    if counts is None:
        return found
    quantiles = {f"p{share * 100:g}": bucket_quantile(counts.buckets, share) for share in (0.5, 0.95, 0.99)}
    seconds = now.timestamp() - counts.started if counts.started else None
    errors = sum(n for key, n in counts.requests.items() if key.rpartition("\t")[2].startswith("5"))
    return found | {
        "since_seconds": seconds,
        "requests": sum(counts.requests.values()),
        "server_errors": errors,
        "request_ms": {name: None if found is None else found * 1000 for name, found in quantiles.items()},
        "cpu_seconds": counts.cpu_seconds,
        "cores_used": counts.cpu_seconds / seconds if seconds and seconds > 0 else None,
        "memory_bytes_of_largest_worker": counts.memory_bytes,
    }


def _alerts(project: Project, begin: datetime) -> dict[str, Any]:
    """How long alerts of the period took until they were noticed, taken on, and over."""
    with project.engine.connect() as connection:
        records = [each for each in alert_records(connection, since=begin) if each.alert.opened >= begin]
    detect = [each.alert.opened - each.alert.since for each in records]
    taken = [
        each.handling.acknowledged - each.alert.opened
        for each in records
        if each.handling.acknowledged is not None
    ]
    repair = [each.alert.resolved - each.alert.opened for each in records if each.alert.resolved is not None]
    means = {"detect": detect, "acknowledge": taken, "resolve": repair}
    return {
        "opened": len(records),
        "open": sum(each.alert.is_open for each in records),
        "by_kind": dict(Counter(each.alert.kind for each in records)),
        "mean_seconds_to": {name: seconds_of(spans) for name, spans in means.items()},
    }


def _incidents(project: Project, begin: datetime) -> dict[str, Any]:
    with project.engine.connect() as connection:
        return incident_figures(incidents.all_since(connection, begin))


def _turns(project: Project, begin: datetime, period: timedelta) -> dict[str, Any]:
    with project.engine.connect() as connection:
        found = [turn for turn in turns.all_turns(connection) if turn.started >= begin]
    return {
        "count": len(found),
        "by_state": dict(Counter(turn.state for turn in found)),
        "per_30_days": len(found) * (_MONTH / period),
        "last": format_time(found[-1].started) if found else None,
    }
