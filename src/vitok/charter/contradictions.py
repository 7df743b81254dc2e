"""What contradicts itself in a charter, each with the keys that clash."""

import math
from collections.abc import Iterator
from datetime import timedelta

from vitok.charter.expressions import Comparison, Gap, Schedule
from vitok.charter.load import Document
from vitok.charter.problems import Problem, Severity
from vitok.charter.releasecheck import release_contradictions
from vitok.charter.section import Path
from vitok.kernel.clock import format_duration
from vitok.stats.catalogue import METRICS
from vitok.stats.thresholds import elkan_threshold

_ABSURD = 0.02  # a threshold nearer to 0 or 1 than this decides all rows alike
_MONTH = timedelta(days=30)
_SHORTEST_WINDOW = timedelta(minutes=1)
# What one call costs before any model does its work (bench/results/prediction.json, two busy cores): the runtime
# alone about .03 ms, a feature function, which works on a table of one row, about half a millisecond.
_LEAST_LATENCY_MS = {False: 0.02, True: 0.3}


def contradictions(document: Document) -> Iterator[Problem]:
    """All contradictions of a charter that parsed."""
    yield from _times(document)
    yield from _names(document)
    yield from _threshold(document)
    yield from _costs(document)
    yield from _held_out(document)
    yield from release_contradictions(document)
    yield from _retraining(document)
    yield from _people(document)
    yield from _service(document)
    yield from _directions(document)
    yield from _limits(document)
    yield from _twice(document)


def _held_out(document: Document) -> Iterator[Problem]:
    charter = document.charter
    if charter.decide.holdout is None:
        return
    where = document.place(("decide", "holdout"))
    if charter.decide.costs is None:
        what = "units are held out, and nobody will know what the others earn more: no costs are stated"
        yield Problem(where, what, "State decide.costs, or leave the hold-out.", "warning")
    if charter.task.entity is None and charter.task.id is None:
        what = "each row is drawn anew: without task.entity or task.id nobody stays held out"
        yield Problem(where, what, "Name the column of the unit as task.entity.", "warning")


def _times(document: Document) -> Iterator[Problem]:
    charter, task = document.charter, document.charter.task
    if charter.monitor.window < _SHORTEST_WINDOW:
        where = document.place(("monitor", "window"))
        what = f"windows of {format_duration(charter.monitor.window)} are over before they can be judged"
        yield Problem(where, what, "Write at least 1m, such as 1d.", "error")
    if charter.data.split.by == "time" and task.time is None:
        where = document.place(("data", "split", "by"))
        yield Problem(where, "a split by time needs task.time", "Name the time column.", "error")
    if charter.retrain.window != "all" and task.time is None:
        where = document.place(("retrain", "window"))
        yield Problem(
            where, "a training window needs task.time", "Name the time column, or write all.", "error"
        )
    for key in ("season", "half_life"):
        if getattr(charter.retrain, key) is not None and task.time is None:
            where, what = document.place(("retrain", key)), f"a {key.replace('_', '-')} needs task.time"
            yield Problem(where, what, "Name the time column.", "error")
    if charter.retrain.season is not None and charter.retrain.window == "all":
        where = document.place(("retrain", "season"))
        yield Problem(where, "has no effect beside `window: all`", "Write a window, such as 90d.", "warning")
    if task.label_time is not None and task.time is None:
        where = document.place(("task", "label_time"))
        yield Problem(where, "a label time needs task.time", "Name the time column.", "error")
    if task.label_time is not None and task.label_delay is None:
        what = "without task.label_delay a window counts as final the moment it ends, before its labels have come"
        where = document.place(("task", "label_time"))
        yield Problem(where, what, "State how long labels take, such as 8h.", "warning")


def _names(document: Document) -> Iterator[Problem]:
    charter, task = document.charter, document.charter.task
    if task.id is None:
        what = "without task.id outcomes can only be joined by the ids that Vitok makes up and returns"
        yield Problem(document.place(("task",)), what, "Name a column that identifies a row.", "note")
    for name in (task.target, task.id, task.time, task.label_time):
        if name is not None and name in charter.data.exclude:
            what = f"{name!r} is excluded, and named under task; it is no feature in any case"
            yield Problem(document.place(("data", "exclude")), what, "Remove it from data.exclude.", "note")
    kpi = charter.goal.kpi
    if kpi is not None and kpi.metric is None:
        what = f"nothing feeds the KPI {kpi.name!r}: no metric is named that moves it"
        yield Problem(document.place(("goal", "kpi")), what, "Name one under goal.kpi.metric.", "warning")
    if kpi is not None and kpi.metric is not None and _is_unknown(kpi.metric, charter.task.type):
        what = f"{kpi.metric!r} is no metric of a {charter.task.type} task"
        yield Problem(
            document.place(("goal", "kpi", "metric")), what, "Name a metric of docs/methods.md.", "error"
        )


def _is_unknown(metric: str, task: str) -> bool:
    return metric not in METRICS or task not in METRICS[metric].tasks


def _threshold(document: Document) -> Iterator[Problem]:
    threshold = document.charter.decide.threshold
    if threshold != "best" and not 0 <= threshold <= 1:
        everybody = "everything" if threshold < 0 else "nothing"
        what = f"threshold {threshold:g} is no probability: {everybody} is flagged, whatever the model says"
        where = document.place(("decide", "threshold"))
        yield Problem(where, what, "Write best, or a number between 0 and 1.", "error")


def _costs(document: Document) -> Iterator[Problem]:
    decide = document.charter.decide
    costs, where = decide.costs, document.place(("decide", "costs"))
    if costs is None:
        return
    if costs.tn - costs.fp <= 0 or costs.tp - costs.fn <= 0:
        what = "by these costs a wrong decision earns as much as the right one: no threshold makes sense"
        yield Problem(where, what, "Make tp larger than fn, and tn larger than fp.", "error")
        return
    best = elkan_threshold((costs.tp, costs.fp, costs.fn, costs.tn))
    if not _ABSURD <= best <= 1 - _ABSURD:
        everybody = "nearly everything" if best < _ABSURD else "nearly nothing"
        what = f"by these costs the best threshold is {best:.3g}: {everybody} is flagged, whatever the model says"
        yield Problem(where, what, "Check the four figures against each other.", "warning")
    if decide.threshold != "best" and abs(decide.threshold - best) > 0.25:
        what = f"threshold {decide.threshold:g} is far from {best:.3g}, the best one by decide.costs"
        where = document.place(("decide", "threshold"))
        yield Problem(where, what, "Write best, or correct the costs.", "warning")


def _retraining(document: Document) -> Iterator[Problem]:
    charter = document.charter
    if charter.retrain.on and charter.retrain.budget is not None and charter.retrain.budget[0] == 0:
        what = "a budget of no turns: whatever holds under retrain.on, none starts"
        where = document.place(("retrain", "budget"))
        yield Problem(where, what, "Allow at least 1, or leave out the triggers.", "warning")
    for index, (trigger, text) in enumerate(zip(document.rules.triggers, charter.retrain.on, strict=True)):
        if not isinstance(trigger, Schedule):
            continue
        period = _MONTH if isinstance(trigger.period, str) else trigger.period
        where = document.place(("retrain", "on", index))
        if charter.task.label_delay is not None and period < charter.task.label_delay:
            what = f"`{text}` starts turns before any new label can have come (task.label_delay)"
            yield Problem(where, what, "Retrain less often than labels take.", "warning")
        if charter.retrain.cooldown is not None and period < charter.retrain.cooldown:
            what = f"`{text}` is due more often than retrain.cooldown allows"
            yield Problem(where, what, "Shorten the cool-down, or the schedule is not kept.", "warning")


def _people(document: Document) -> Iterator[Problem]:
    charter = document.charter
    present = {role for roles in charter.team.values() for role in roles}
    for risk in ("low", "medium", "high"):
        approvers = getattr(charter.approve, risk)
        for role in [] if approvers == "auto" else approvers:
            if role not in present:
                where = document.place(("approve", risk))
                yield Problem(
                    where, f"nobody in team is {role}", "Name one under team, or another role.", "warning"
                )


def _service(document: Document) -> Iterator[Problem]:
    """Limits on the bundle that no candidate can keep."""
    with_features = document.charter.features is not None
    least = {
        "latency_p50_ms": _LEAST_LATENCY_MS[with_features],
        "latency_p99_ms": _LEAST_LATENCY_MS[with_features],
    }
    for index, (gate, text) in enumerate(zip(document.rules.gates, document.charter.accept, strict=True)):
        if isinstance(gate, Comparison) and gate.metric in least and gate.bound.offset < least[gate.metric]:
            cost = "a feature function" if with_features else "a single call of the runtime"
            what = f"no candidate can keep `{text}`: {cost} alone takes about {least[gate.metric]:g} ms"
            remedy = f"Allow at least {10 * least[gate.metric]:g} ms."
            yield Problem(document.place(("accept", index)), what, remedy, "error")


def _rules(document: Document) -> Iterator[tuple[Path, Comparison, str]]:
    """Every comparison of the charter with its key and its text."""
    charter, rules = document.charter, document.rules
    for section, texts, found in (
        (("accept",), charter.accept, rules.gates),
        (("monitor", "alerts"), charter.monitor.alerts, rules.alerts),
        (("retrain", "on"), charter.retrain.on, rules.triggers),
    ):
        for index, (text, rule) in enumerate(zip(texts, found, strict=True)):
            if isinstance(rule, Comparison):
                yield (*section, index), rule, text


def _directions(document: Document) -> Iterator[Problem]:
    """Gates that ask for worse, and alerts or triggers that hold for good models."""
    for path, rule, text in _rules(document):
        if isinstance(rule.part, Gap):
            continue  # refused where it is read
        is_gate, high = path[0] == "accept", _wants_more(rule.metric)
        if rule.wants_high == (high if is_gate else not high):
            continue
        better = "more" if high else "less"
        what = f"`{text}` {'asks for a bad' if is_gate else 'holds for a good'} model: {better} {rule.metric} is better"
        yield Problem(document.place(path), what, "Turn the comparison round.", "warning")


def _wants_more(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].higher_is_better


def _limits(document: Document) -> Iterator[Problem]:
    """Bounds that the metric can never reach, or never miss."""
    for path, rule, text in _rules(document):
        if rule.bound.reference is not None:
            continue
        least, most = METRICS[rule.metric].limits if rule.metric in METRICS else (0.0, math.inf)
        if isinstance(rule.part, Gap):
            least, most = 0.0, most - least
        bound, strict = rule.bound.offset, rule.operator in (">", "<")
        far, near = (most, least) if rule.wants_high else (least, most)
        beyond = bound > far if rule.wants_high else bound < far
        within = bound < near if rule.wants_high else bound > near
        span = f"{rule.metric} lies between {least:g} and {most:g}".replace(" and inf", " and no limit")
        if beyond or (strict and bound == far):
            what = f"`{text}` can never hold: {span}"
            severity: Severity = "error" if path[0] == "accept" else "warning"
            yield Problem(document.place(path), what, "Write a bound that can be reached.", severity)
        elif within or (not strict and bound == near):
            what = f"`{text}` always holds: {span}"
            yield Problem(document.place(path), what, "Write a bound that can be missed.", "warning")


def _twice(document: Document) -> Iterator[Problem]:
    """Entries that bear the same name."""
    charter = document.charter
    named = {
        "risks": [risk.id for risk in charter.risks],
        "experiments": [experiment.id for experiment in charter.experiments],
        "plan.milestones": [milestone.name for milestone in charter.plan.milestones],
        "accept": [str(gate) for gate in document.rules.gates],
    }
    for section, names in named.items():
        for index, name in enumerate(names):
            if name in names[:index]:
                where = document.place((*section.split("."), index))
                yield Problem(where, f"{name!r} stands twice", "Keep one of the two.", "error")
