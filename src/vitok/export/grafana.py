"""A dashboard for Grafana, made from the charter: what the servers of Vitok tell at `/metrics`, as pictures."""

import json
from collections.abc import Iterator
from typing import Any

from vitok.charter.model import Charter
from vitok.charter.serving import Slo
from vitok.export.prometheus import ANSWERING, error_share, fallback_share, latency_quantile, slow_share
from vitok.kernel.clock import format_duration
from vitok.kernel.digests import digest_bytes

_SCHEMA = 39  # of Grafana 11, which later ones read too
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT, _SMALL = 24, 8, 4
_WINDOW = "$__rate_interval"


def grafana_dashboard(charter: Charter) -> str:
    """The dashboard of a project, as JSON to import."""
    job = charter.project
    panels = _placed([*_figures(charter), *_curves(charter)])
    dashboard = {
        "uid": f"vitok-{digest_bytes(job.encode())[:12]}",
        "title": f"Vitok: {job}",
        "description": charter.goal.statement,
        "tags": ["vitok"],
        "schemaVersion": _SCHEMA,
        "version": 1,
        "editable": True,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Prometheus",
                    "type": "datasource",
                    "query": "prometheus",
                    "hide": 0,
                    "refresh": 1,
                    "current": {},
                }
            ]
        },
        "annotations": {"list": []},
        "panels": panels,
    }
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


def _figures(charter: Charter) -> Iterator[dict[str, Any]]:
    job, slo = charter.project, charter.serve.slo
    yield _stat("Release epoch", f'max(vitok_plan_epoch{{job="{job}"}})', "none")
    yield _stat(
        "Rows a second", f'sum(rate(vitok_predictions_total{{job="{job}",role!="shadow"}}[5m]))', "reqps"
    )
    if slo is not None:
        over = format_duration(slo.over)
        left = f"1 - {error_share(job, _range(slo))} / {1 - slo.availability:.6g}"
        yield _stat(f"Error budget left ({over})", left, "percentunit", low=0.0)
        if slo.latency_goal is not None:
            share, bound = slo.latency_goal
            left = f"1 - {slow_share(job, bound, _range(slo))} / {1 - share:.6g}"
            yield _stat(f"Latency budget left ({over})", left, "percentunit", low=0.0)
    yield _stat(
        "Open alarms",
        f'sum(vitok_alerts_open{{job="{job}",severity="alarm"}}) or vector(0)',
        "none",
        high=1.0,
    )
    yield _stat("Keeper seen", f'time() - max(vitok_keeper_seen_seconds{{job="{job}"}})', "s", high=600.0)
    yield _stat("Server up for", f'time() - max(vitok_server_start_seconds{{job="{job}"}})', "s")
    yield _stat(
        "Journal waits", f'max(vitok_journal_waiting_bytes{{job="{job}"}})', "bytes", high=64.0 * 2**20
    )


def _curves(charter: Charter) -> Iterator[dict[str, Any]]:
    job = charter.project
    quantiles = [(f"p{share * 100:g}", latency_quantile(job, share, _WINDOW)) for share in (0.5, 0.95, 0.99)]
    yield _curve("Time of requests", quantiles, "s")
    asked = f'job="{job}",route=~"{ANSWERING}"'
    requests = f"sum by (status) (rate(vitok_requests_total{{{asked}}}[{_WINDOW}]))"
    yield _curve("Requests for answers by status", [("{{status}}", requests)], "reqps")
    shares = [("failed", error_share(job, _WINDOW)), ("fallback or default", fallback_share(job, _WINDOW))]
    yield _curve("Shares that went wrong", shares, "percentunit")
    rows = f'sum by (version, role) (rate(vitok_predictions_total{{job="{job}"}}[{_WINDOW}]))'
    yield _curve("Rows by version and role", [("{{version}} {{role}}", rows)], "reqps")
    rows = f'sum by (action) (rate(vitok_predictions_total{{job="{job}",role!="shadow"}}[{_WINDOW}]))'
    yield _curve("Who decided", [("{{action}}", rows)], "reqps")
    alerts = f'sum by (kind, severity, state) (vitok_alerts_open{{job="{job}"}})'
    yield _curve("Open alerts", [("{{kind}} {{severity}} {{state}}", alerts)], "none")
    outcomes = f'sum by (result) (increase(vitok_outcomes_total{{job="{job}"}}[1h]))'
    yield _curve("Outcomes in an hour", [("{{result}}", outcomes)], "none")
    trouble = [
        ("unrecorded", f'sum(increase(vitok_unrecorded_total{{job="{job}"}}[1h]))'),
        ("shadow missed", f'sum(increase(vitok_shadow_missed_total{{job="{job}"}}[1h]))'),
        (
            "suspected: {{pattern}}",
            f'sum by (pattern) (increase(vitok_probing_suspected_total{{job="{job}"}}[1d]))',
        ),
        ("events given up", f'max(vitok_events_given_up{{job="{job}"}})'),
    ]
    yield _curve("Trouble", trouble, "none")
    memory = [("largest worker", f'max(vitok_worker_memory_bytes{{job="{job}"}})')]
    yield _curve("Memory", memory, "bytes")
    cpu = [("all workers", f'sum(rate(vitok_worker_cpu_seconds_total{{job="{job}"}}[{_WINDOW}]))')]
    yield _curve("Processor cores in use", cpu, "none")
    if charter.serve.slo is not None:
        yield _curve("Burn rate of the error budget", _burns(job, charter.serve.slo), "none")


def _burns(job: str, slo: Slo) -> list[tuple[str, str]]:
    allowed = f"{1 - slo.availability:.6g}"
    return [(window, f"{error_share(job, window)} / {allowed}") for window in ("5m", "30m", "1h", "6h", "3d")]


def _range(slo: Slo) -> str:
    """The period as Prometheus writes ranges, which have no fractions."""
    return f"{round(slo.over.total_seconds())}s"


def _stat(
    title: str, expr: str, unit: str, *, low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    """A figure; red below `low`, or from `high` on."""
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if low is not None:
        steps = [{"color": "red", "value": None}, {"color": "green", "value": low}]
    elif high is not None:
        steps.append({"color": "red", "value": high})
    return {
        "type": "stat",
        "title": title,
        "targets": _targets([("", expr)]),
        "fieldConfig": {
            "defaults": {"unit": unit, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}},
    }


def _curve(title: str, series: list[tuple[str, str]], unit: str) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": title,
        "targets": _targets(series),
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def _targets(series: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"refId": chr(ord("A") + number), "datasource": _SOURCE, "expr": expr, "legendFormat": legend}
        for number, (legend, expr) in enumerate(series)
    ]


def _placed(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Panels with their ids and places: the figures in rows of four, then the curves in rows of two."""
    placed, x, y, before = [], 0, 0, 0
    for number, panel in enumerate(panels, 1):
        width, height = (_WIDTH // 4, _SMALL) if panel["type"] == "stat" else (_WIDTH // 2, _HEIGHT)
        if x + width > _WIDTH or (before and height != before):
            x, y = 0, y + before
        place = {"x": x, "y": y, "w": width, "h": height}
        placed.append({"id": number, **panel, "datasource": _SOURCE, "gridPos": place})
        x, before = x + width, height
    return placed
