"""`vitok watch`: judge what production did."""

import os
import signal
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from vitok.charter.review import main_metric
from vitok.cli.alerts import state_of
from vitok.cli.output import HERE, JsonOption, ProjectOption, say, show, table
from vitok.data.sources import read_table
from vitok.errors import UserMistake
from vitok.kernel.clock import parse_duration, parse_time
from vitok.loop.alerts import list_alerts
from vitok.loop.elsewhere import watch_elsewhere
from vitok.loop.keep import keep, watch_once
from vitok.loop.logged import Log, log_table
from vitok.loop.performance_table import WARNING
from vitok.wire import open_project

_PARENT_SECONDS = 1.0
_SHOWN = 14


def _elsewhere(name: str, metavar: str, text: str) -> Any:
    """An option for a model that runs elsewhere."""
    return typer.Option(name, metavar=metavar, help=text, rich_help_panel="A model that runs elsewhere")


def watch(
    once: Annotated[bool, typer.Option("--once", help="Look once, start no turn, and end.")] = False,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when the process that started it ends.")
    ] = False,
    predictions: Annotated[
        str | None,
        _elsewhere(
            "--predictions", "FILE", "Its log: CSV, Parquet, JSON lines, or `lake:TABLE`; one row each."
        ),
    ] = None,
    outcomes: Annotated[
        Path | None,
        _elsewhere("--outcomes", "FILE", "The labels by id. Default: a column of the predictions."),
    ] = None,
    reference: Annotated[
        str | None,
        _elsewhere(
            "--reference", "TIME", "Rows before it are what others are compared with. Default: a quarter."
        ),
    ] = None,
    time: Annotated[str, _elsewhere("--time", "COL", "Column with the time of a prediction.")] = "time",
    score: Annotated[str, _elsewhere("--score", "COL", "Column with the score.")] = "score",
    identity: Annotated[str, _elsewhere("--id", "COL", "Column that joins both tables.")] = "id",
    label: Annotated[str, _elsewhere("--label", "COL", "Column with the label.")] = "label",
    label_time: Annotated[
        str | None, _elsewhere("--label-time", "COL", "Column with the moment a label came.")
    ] = None,
    label_delay: Annotated[
        str, _elsewhere("--label-delay", "D", "How long after a prediction its label is expected.")
    ] = "0s",
    window: Annotated[str, _elsewhere("--window", "D", "Length of a window.")] = "1d",
    slices: Annotated[
        list[str] | None,
        _elsewhere("--slice", "COL", "Column whose groups are watched apart; may be repeated."),
    ] = None,
    exclude: Annotated[
        list[str] | None, _elsewhere("--exclude", "COL", "Column that is no input; may be repeated.")
    ] = None,
    threshold: Annotated[
        float, _elsewhere("--threshold", "X", "Score from which a row is flagged (two classes).")
    ] = 0.5,
    effect: Annotated[float, _elsewhere("--effect", "PSI", "Smallest PSI that matters.")] = 0.2,
    false_alarms: Annotated[
        str, _elsewhere("--false-alarms", "BUDGET", "Tolerated false alarms.")
    ] = "1 per 90d",
    reweigh: Annotated[
        bool,
        _elsewhere(
            "--reweigh",
            "",
            "Estimate each window a second time, by a calibration made for its rows: seconds more.",
        ),
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Collects the journal, judges closed windows, raises alerts; without --once it goes on and starts due turns.

    With --predictions it judges the log of a model that runs elsewhere, window by window; that needs no project.
    """
    if predictions is not None:
        log = Log(
            id=identity,
            time=time,
            score=score,
            label=label,
            label_time=label_time,
            threshold=threshold,
            reference=None if reference is None else parse_time(reference, "--reference"),
            window=parse_duration(window, "--window"),
            slices=tuple(slices or ()),
            exclude=tuple(exclude or ()),
            label_delay=parse_duration(label_delay, "--label-delay"),
            effect=effect,
            false_alarms=false_alarms,
            reweighs=reweigh,
        )
        _judge_log(predictions, outcomes, log, project, as_json=as_json)
        return
    if outcomes is not None:
        raise UserMistake("--outcomes", "there are no predictions to join to", "Give --predictions too.")
    if not once:
        _keep(project, with_parent=with_parent)
        return
    opened = open_project(project, say=say)
    payload = watch_once(opened).as_json()
    handled = {alert["id"]: alert for alert in list_alerts(opened)["alerts"]}
    for alert in payload["alerts"]:
        did = handled.get(alert["id"], {"state": "open", "acknowledged_by": None, "snoozed": None})
        alert |= {name: did[name] for name in ("state", "acknowledged_by", "snoozed")}
    show(as_json, payload, render(payload, main_metric(opened.charter)))


def _keep(project: Path, *, with_parent: bool) -> None:
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    if with_parent:
        threading.Thread(target=_end_with, args=(os.getppid(), stop), daemon=True).start()
    keep(lambda: open_project(project, say=say, database_may_be_away=True), stop)


def _judge_log(predictions: str, outcomes: Path | None, log: Log, project: Path, *, as_json: bool) -> None:
    found = watch_elsewhere(
        log_table(predictions, "--predictions", lambda: open_project(project).lake),
        None if outcomes is None else read_table(outcomes),
        log,
    )
    show(as_json, found, render_log(found))


def _end_with(parent: int, stop: threading.Event) -> None:
    while not stop.wait(_PARENT_SECONDS):
        if os.getppid() != parent:
            stop.set()


def render(payload: dict[str, Any], metric: str) -> str:
    """A look for people."""
    if not payload["windows"] and not payload["alerts"] and not payload["maturing"]:
        return "No window closed or matured since the last look."
    rows = [
        [
            w["start"][:16],
            w["state"],
            w["rows"],
            w["labelled"],
            w["version"],
            w["quality"].get(metric, {}).get("value"),
        ]
        for w in payload["windows"]
    ]
    lines = [table(rows, ["window", "state", "rows", "labelled", "version", metric])] if rows else []
    for alert in payload["alerts"]:
        lines.append(
            f"{'NEW ' if alert['new'] else ''}{alert['severity']} ({alert['kind']}){state_of(alert)} since "
            f"{alert['since'][:16]}: {alert['sentence']} {alert['remedy']}"
        )
    return "\n".join([*lines, *_estimates(payload, metric), *_labels(payload, metric)])


def _estimates(payload: dict[str, Any], metric: str) -> list[str]:
    """Windows whose labels have not come, as they are estimated."""
    lines = []
    for window in payload["windows"]:
        told = window["estimated"].get(metric)
        if told is None or window["quality"]:
            continue
        again = window["reweighted"].get(metric)
        made = (
            ""
            if again is None
            else f"; by a calibration made for these rows: {again.get('undecidable') or _interval(again)}"
        )
        lines.append(f"estimated: {window['start'][:16]}, {metric} {_interval(told)}{made}")
    return [*lines, WARNING] if lines else []


def _interval(found: dict[str, Any]) -> str:
    return f"{found['value']:.4g} ({found['low']:.4g} to {found['high']:.4g})"


def _labels(payload: dict[str, Any], metric: str) -> list[str]:
    """Windows that wait for labels, and whether the charter waits long enough."""
    lines, delay = [], payload["label_delay"]
    for window in payload["maturing"]:
        come = "some" if window["maturity"] is None else f"{window['maturity']:.0%}"
        found = window["quality"].get(metric)
        so_far = (
            ""
            if found is None
            else f": {metric} {found['value']:.4g} ({found['low']:.4g} to {found['high']:.4g}) "
            "when all have come, as far as one can tell"
        )
        lines.append(f"maturing: {window['start'][:16]}, {come} of its labels have come{so_far}")
    if delay is not None and delay["is_stated_too_short"]:
        lines.append(
            f"task.label_delay is {_hours(delay['stated'])}, but {delay['later_than_stated']:.0%} of the labels come "
            f"later (99 % within {_hours(delay['p99'])}): windows are judged without them. Make it longer."
        )
    return lines


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.3g} h"


def render_log(found: dict[str, Any]) -> str:
    """What a log showed, for people."""
    reference, metric = found["reference"], _metric_of(found)
    lines = [
        f"Reference: {reference['rows']} rows before {reference['until'][:16]}, {reference['task']}, "
        f"{len(reference['inputs'])} inputs"
        + (
            f", {metric} {reference['metrics'][metric]['value']:.4g}."
            if metric in reference["metrics"]
            else "."
        )
    ]
    again = any(w["reweighted"] for w in found["windows"])
    rows = [
        [
            w["start"][:16],
            w["rows"],
            w["labelled"],
            w["quality"].get(metric, {}).get("value"),
            w["estimated"].get(metric, {}).get("value"),
            *([w["reweighted"].get(metric, {}).get("value")] if again else []),
        ]
        for w in found["windows"][-_SHOWN:]
    ]
    names = ["window", "rows", "labelled", metric, "estimated", *(["for these rows"] if again else [])]
    lines.append(table(rows, names))
    if len(found["windows"]) > _SHOWN:
        lines.append(f"(the last {_SHOWN} of {len(found['windows'])} windows; --json has all)")
    for alert in found["alerts"]:
        end = "open" if alert["resolved"] is None else f"until {alert['resolved'][:16]}"
        lines.append(
            f"{alert['severity']} ({alert['kind']}) raised {alert['opened'][:16]}, {end}: "
            f"{alert['sentence']} {alert['remedy']}"
        )
    return "\n".join(lines if found["alerts"] else [*lines, "No alert."])


def _metric_of(found: dict[str, Any]) -> str:
    return "rmse" if found["reference"]["task"] == "regression" else "roc_auc"


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(epilog="Example: vitok watch --once --json")(watch)
