"""`vitok operations`: how well the project is run."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.errors import UserMistake
from vitok.journal.ledger import Ledger
from vitok.kernel.clock import parse_duration
from vitok.loop.keep import collect
from vitok.loop.operations import operations_report
from vitok.wire import open_project

_LONGEST = timedelta(days=3653)


def operations(
    over: Annotated[
        str, typer.Option("--over", metavar="DURATION", help="The period, back from now.")
    ] = "7d",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Reckons availability, latency, throughput, error budgets, times to notice and to mend, and retraining."""
    period = parse_duration(over, "--over")
    if not timedelta(minutes=1) <= period <= _LONGEST:
        raise UserMistake("--over", f"{over} is no period to reckon over", "Write 1m to 10y, such as 7d.")
    opened = open_project(project, say=say)
    collect(opened)
    payload = operations_report(opened, Ledger(opened.lake), period)
    show(as_json, payload, render(payload))


def render(payload: dict[str, Any]) -> str:
    """The figures for people."""
    latency = payload["latency_ms"]
    lines = [
        f"From {payload['begin'][:16]} to {payload['end'][:16]}: {payload['rows']} rows, "
        f"{payload['rows_per_second']:.4g} a second",
    ]
    if payload["rows"]:
        shares = payload["shares"]
        lines.append(
            f"Availability {payload['availability']:.3%}; failed {shares['failed']:.2%}, "
            f"by fallback or default {shares['fallback']:.2%}, handed over {shares['handed_over']:.2%}"
        )
    if latency["p50"] is not None:
        lines.append(f"Versions took {_ms(latency)}")
    return "\n".join([*lines, *_server(payload["server"]), *_slo(payload["slo"]), *_people(payload)])


def _ms(found: dict[str, float]) -> str:
    return f"p50 {found['p50']:.3g} ms, p95 {found['p95']:.3g} ms, p99 {found['p99']:.3g} ms"


def _server(server: dict[str, Any]) -> list[str]:
    lines = [f"Journal: {server['journal_waiting_bytes']} bytes wait"]
    if "keeper_seen_seconds_ago" in server:
        lines[0] += f"; the keeper was seen {length(server['keeper_seen_seconds_ago'])} ago"
    if "requests" in server:
        cores = "" if server["cores_used"] is None else f" ({server['cores_used']:.2g} cores)"
        memory = server["memory_bytes_of_largest_worker"] / 2**20
        lines.append(
            f"Server, started {length(server['since_seconds'])} ago: {server['requests']} requests, "
            f"{server['server_errors']} errors of its own; CPU {server['cpu_seconds']:.3g} s{cores}; "
            f"largest worker {memory:.0f} MB"
        )
        if server["request_ms"]["p50"] is not None:
            lines.append(f"Requests took {_ms(server['request_ms'])}")
    return lines


def _slo(slo: dict[str, Any] | None) -> list[str]:
    if slo is None:
        return ["No promise: see serve.slo in docs/charter.md."]
    rows = []
    for name in ("availability", "latency"):
        if name not in slo:
            continue
        found = slo[name]
        within = f" in {found['within_ms']:g} ms" if "within_ms" in found else ""
        good = "-" if found["good_share"] is None else f"{found['good_share']:.3%}"
        burns = "  ".join(
            f"{burn['long']} {burn['long_rate']:.3g}{' TOO FAST' if burn['too_fast'] else ''}"
            for burn in found["burn"]
        )
        rows.append(
            [f"{name}{within}", f"{found['objective']:.3%}", good, f"{found['budget_left']:.1%}", burns]
        )
    return [table(rows, [f"over {slo['over']}", "promised", "kept", "budget left", "burn rate"])]


def _people(payload: dict[str, Any]) -> list[str]:
    alerts, incidents, turns = payload["alerts"], payload["incidents"], payload["turns"]
    last = f", last {turns['last'][:16]}" if turns["last"] else ""
    states = ", ".join(f"{count} {state}" for state, count in turns["by_state"].items())
    return [
        f"Alerts: {alerts['opened']} opened, {alerts['open']} of them open{mean_times(alerts)}",
        f"Incidents: {incidents['count']} opened, {incidents['open']} of them go on{mean_times(incidents)}",
        f"Turns: {turns['count']}{f' ({states})' if states else ''}, {turns['per_30_days']:.3g} in 30 days{last}",
    ]


def mean_times(found: dict[str, Any]) -> str:
    """How long things took in the mean; nothing if nothing is known."""
    times = ", ".join(
        f"to {name} {length(seconds)}"
        for name, seconds in found["mean_seconds_to"].items()
        if seconds is not None
    )
    return f"; mean time {times}" if times else ""


def length(seconds: float | None) -> str:
    """A length of time for people."""
    if seconds is None:
        return "some time"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok operations --over 30d")(operations)
