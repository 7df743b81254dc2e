"""Alert rules for Prometheus, made from the charter: they speak of what the servers of Vitok tell at `/metrics`.

All expressions ask for `job="PROJECT"`, so that several projects can be watched by one Prometheus.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from vitok.charter.model import Charter
from vitok.charter.serving import Slo
from vitok.kernel.clock import format_duration
from vitok.stats.burning import BURN_RULES
from vitok.stats.latency import bound_within

ANSWERING = "models/.+/(predict|explain)|v2/models/.+/infer|invocations"
_PLAIN_ERRORS, _FALLBACKS, _SLOW_SECONDS = 0.05, 0.05, 1.0
_WAITING_BYTES = 64 * 2**20
_KEEPER_SECONDS = 600
_RUN_BOOK = "docs/operations.md#what-to-do-when"


def prometheus_rules(charter: Charter) -> str:
    """The alert rules of a project as a rule file of Prometheus."""
    groups = [{"name": f"vitok-{charter.project}", "rules": list(_rules(charter))}]
    head = (
        f"# Alert rules of the project {charter.project}, made by `vitok export prometheus`.\n"
        f"# They expect the server to be scraped as job_name: {charter.project}.\n"
    )
    return head + yaml.safe_dump({"groups": groups}, sort_keys=False, width=10_000, allow_unicode=True)


def _rules(charter: Charter) -> Iterator[dict[str, Any]]:
    job, slo = charter.project, charter.serve.slo
    yield _rule(
        "VitokServerAway",
        f'up{{job="{job}"}} == 0',
        "2m",
        "page",
        job,
        "The server does not answer Prometheus.",
    )
    if slo is None:
        yield from _plain(job)
    else:
        yield from _burning(job, slo)
    yield _rule(
        "VitokFallback",
        f"{fallback_share(job, '15m')} > {_FALLBACKS}",
        "10m",
        "ticket",
        job,
        "{{ $value | humanizePercentage }} of the rows are answered by a fallback or default.",
    )
    yield _rule(
        "VitokNoPredictions",
        f'sum(increase(vitok_predictions_total{{job="{job}"}}[1h])) == 0 '
        f'and sum(increase(vitok_predictions_total{{job="{job}"}}[1d] offset 1h)) > 0',
        "15m",
        "ticket",
        job,
        "No row has been predicted for an hour, though there were some on the day before.",
    )
    yield from _keeping(job)


def _plain(job: str) -> Iterator[dict[str, Any]]:
    """Rules for a charter that promises nothing: only what is surely wrong."""
    what = "{{ $value | humanizePercentage }} of the requests fail."
    yield _rule("VitokErrors", f"{error_share(job, '15m')} > {_PLAIN_ERRORS}", "5m", "page", job, what)
    what = "99 % of the requests take up to {{ $value | humanizeDuration }}."
    yield _rule(
        "VitokSlow", f"{latency_quantile(job, 0.99, '15m')} > {_SLOW_SECONDS}", "10m", "ticket", job, what
    )


def _burning(job: str, slo: Slo) -> Iterator[dict[str, Any]]:
    for burn in BURN_RULES:
        long, short = format_duration(burn.long), format_duration(burn.short)
        rate, severity = burn.rate(slo.over), burn.severity
        limit = f"{rate * (1 - slo.availability):.6g}"
        expr = f"{error_share(job, long)} > {limit} and {error_share(job, short)} > {limit}"
        what = f"Failures burn the error budget of {format_duration(slo.over)} {rate:.3g} times too fast or more."
        yield _rule("VitokErrorBudgetBurn", expr, None, severity, job, what, window=long)
        if slo.latency_goal is not None:
            share, bound = slo.latency_goal
            limit = f"{rate * (1 - share):.6g}"
            if float(limit) >= 1:
                continue  # even if every answer were late the budget would not burn so fast
            late, late_now = (slow_share(job, bound, window) for window in (long, short))
            what = f"Late answers burn the budget of {format_duration(slo.over)} {rate:.3g} times too fast or more."
            expr = f"{late} > {limit} and {late_now} > {limit}"
            yield _rule("VitokLatencyBudgetBurn", expr, None, severity, job, what, window=long)


def _keeping(job: str) -> Iterator[dict[str, Any]]:
    yield _rule(
        "VitokUnrecorded",
        f'sum(increase(vitok_unrecorded_total{{job="{job}"}}[15m])) > 0',
        None,
        "page",
        job,
        "Rows are answered although the journal cannot be written.",
    )
    yield _rule(
        "VitokJournalWaits",
        f'max(vitok_journal_waiting_bytes{{job="{job}"}}) > {_WAITING_BYTES}',
        "15m",
        "ticket",
        job,
        "{{ $value | humanize1024 }}B wait in the journal: the keeper does not move them.",
    )
    yield _rule(
        "VitokKeeperAway",
        f'time() - max(vitok_keeper_seen_seconds{{job="{job}"}}) > {_KEEPER_SECONDS}',
        "1m",
        "page",
        job,
        "The keeper was last seen {{ $value | humanizeDuration }} ago: nothing is watched or retrained.",
    )
    yield _rule(
        "VitokAlarmOpen",
        f'sum by (kind) (vitok_alerts_open{{job="{job}",severity="alarm",state="open"}}) > 0',
        None,
        "ticket",
        job,
        "{{ $value }} alarm(s) on {{ $labels.kind }} that nobody has acknowledged; see `vitok alerts`.",
    )
    yield _rule(
        "VitokProbing",
        f'sum by (pattern) (increase(vitok_probing_suspected_total{{job="{job}"}}[1d])) > 0',
        None,
        "ticket",
        job,
        "A caller asks as somebody would who copies the model ({{ $labels.pattern }}).",
    )
    yield _rule(
        "VitokEventsGivenUp",
        f'max(vitok_events_given_up{{job="{job}"}}) > 0',
        None,
        "ticket",
        job,
        "{{ $value }} event(s) could not be told to anybody; see `vitok events --dead`.",
    )


def error_share(job: str, window: str) -> str:
    """Share of the requests for answers that failed by the server's fault."""
    asked = f'job="{job}",route=~"{ANSWERING}"'
    failed = f'sum(rate(vitok_requests_total{{{asked},status=~"5.."}}[{window}]))'
    return f"(({failed} or vector(0)) / sum(rate(vitok_requests_total{{{asked}}}[{window}])))"


def slow_share(job: str, seconds: float, window: str) -> str:
    """Share of the requests that took longer than the largest bucket within a goal."""
    le = f"{bound_within(seconds)}"
    kept = f'sum(rate(vitok_request_seconds_bucket{{job="{job}",le="{le}"}}[{window}]))'
    return f'(1 - {kept} / sum(rate(vitok_request_seconds_count{{job="{job}"}}[{window}])))'


def fallback_share(job: str, window: str) -> str:
    """Share of the rows that another version or a default answered, since the version that was asked failed."""
    rows = f'job="{job}",role!="shadow"'
    fallen = f'sum(rate(vitok_predictions_total{{{rows},action=~"fallback|default"}}[{window}]))'
    return f"(({fallen} or vector(0)) / sum(rate(vitok_predictions_total{{{rows}}}[{window}])))"


def latency_quantile(job: str, share: float, window: str) -> str:
    """A quantile of the time of requests, in seconds."""
    return f'histogram_quantile({share}, sum by (le) (rate(vitok_request_seconds_bucket{{job="{job}"}}[{window}])))'


def _rule(
    name: str, expr: str, lasting: str | None, severity: str, job: str, what: str, **labels: str
) -> dict[str, Any]:
    rule: dict[str, Any] = {"alert": name, "expr": expr}
    if lasting is not None:
        rule["for"] = lasting
    rule["labels"] = {"severity": severity, "project": job, **labels}
    rule["annotations"] = {"summary": f"{job}: {what}", "runbook": _RUN_BOOK}
    return rule
