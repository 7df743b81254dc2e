"""The rules of a charter (gates, alerts, triggers) as typed objects, and whether each makes sense where it stands."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from vitok.charter.expressions import (
    Ask,
    Comparison,
    Expression,
    Gap,
    Gate,
    Slice,
    Trigger,
    WorstSlice,
    parse_expression,
)
from vitok.charter.metrics import require_metric
from vitok.charter.model import Charter
from vitok.charter.section import Path
from vitok.charter.units import in_own_unit
from vitok.errors import CharterMistake
from vitok.stats.catalogue import SERVICE_METRICS

REFERENCES = {
    "accept": ("baseline", "champion"),
    "retrain.on": ("accepted",),
    "monitor.alerts": ("accepted",),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """The parsed rules, with bounds in the units of their metrics.

    Args:
        gates: Of `accept`, in its order.
        triggers: Of `retrain.on`, in its order.
        alerts: Of `monitor.alerts`, in its order.
    """

    gates: tuple[Gate, ...]
    triggers: tuple[Trigger, ...]
    alerts: tuple[Comparison, ...]


def parse_rules(charter: Charter, place_of: Callable[[Path], str]) -> Rules:
    """Parses and checks every rule of a charter.

    Args:
        place_of: From a path of the charter to where it stands, for messages.

    Raises:
        CharterMistake: a rule cannot be read, or makes no sense where it stands.
    """

    def parsed(section: str, texts: Iterable[str]) -> Iterator[Expression]:
        for index, text in enumerate(texts):
            place = place_of((*section.split("."), index))
            expression = parse_expression(text, place)
            _check_kind(expression, section, place)
            yield (
                _checked(expression, charter, section, place)
                if isinstance(expression, Comparison)
                else expression
            )

    return Rules(
        gates=tuple(parsed("accept", charter.accept)),  # type: ignore[arg-type]
        triggers=tuple(parsed("retrain.on", charter.retrain.on)),  # type: ignore[arg-type]
        alerts=tuple(parsed("monitor.alerts", charter.monitor.alerts)),  # type: ignore[arg-type]
    )


def check_trigger(expression: Trigger, charter: Charter, place: str) -> Trigger:
    """A trigger that stands outside of the charter, checked as if it stood under `retrain.on`.

    Raises:
        CharterMistake: it makes no sense in this charter.
    """
    if isinstance(expression, Comparison):
        return _checked(expression, charter, "retrain.on", place)
    return expression


def _check_kind(expression: Expression, section: str, place: str) -> None:
    if isinstance(expression, Comparison) or (section == "accept" and isinstance(expression, Ask)):
        return
    if isinstance(expression, Ask):
        raise CharterMistake(place, f"`{expression}` can only be a gate", "Put questions under accept.")
    if section != "retrain.on":
        what = "gate" if section == "accept" else "alert"
        remedy = "Compare a metric with a bound; put triggers under retrain.on."
        raise CharterMistake(place, f"`{expression}` is a trigger, no {what}", remedy)


def _checked(rule: Comparison, charter: Charter, section: str, place: str) -> Comparison:
    _check_metric(rule.metric, charter, place)
    _check_reference(rule, section, place)
    _check_part(rule, charter, section, place)
    if rule.estimated:
        _check_estimated(rule, section, place)
    if rule.metric in SERVICE_METRICS:
        _check_service(rule, section, place)
    if rule.period is not None and charter.task.time is None:
        raise CharterMistake(place, "`for window` needs task.time", "Name the time column, or leave it out.")
    return in_own_unit(rule, charter.task.unit, place)


def _check_estimated(rule: Comparison, section: str, place: str) -> None:
    if section != "retrain.on":
        what = f"`{rule}` rests on an estimate, and what is estimated decides neither gates nor alerts"
        raise CharterMistake(place, what, "Put it under retrain.on, or compare the measured figure.")
    if rule.part is not None or rule.period is not None:
        raise CharterMistake(
            place,
            "quality is estimated for whole windows only",
            f"Write estimated {rule.metric} {rule.operator} ...",
        )


def _check_metric(metric: str, charter: Charter, place: str) -> None:
    require_metric(metric, charter.task.type, place)
    if metric == "profit_per_1000" and charter.decide.costs is None:
        raise CharterMistake(place, "profit needs costs", "State decide.costs: {tp, fp, fn, tn}.")


def _check_reference(rule: Comparison, section: str, place: str) -> None:
    reference, known = rule.bound.reference, REFERENCES[section]
    if reference is not None and rule.bound.factor <= 0:
        what = f"factor {rule.bound.factor:g} leaves nothing of what is compared with"
        raise CharterMistake(place, what, "Write a positive one, such as 0.95.")
    if isinstance(reference, Slice):
        if not isinstance(rule.part, Slice) or rule.part == reference:
            remedy = "Write slice(COLUMN=A).METRIC >= slice(COLUMN=B).METRIC."
            raise CharterMistake(place, f"`{rule}` does not compare two slices", remedy)
    elif reference is not None and reference not in known:
        remedy = f"Compare with a number, another slice, or {' or '.join(known)}."
        raise CharterMistake(place, f"{reference!r} has no meaning here", remedy)


def _check_part(rule: Comparison, charter: Charter, section: str, place: str) -> None:
    if isinstance(rule.part, WorstSlice) and rule.part.column is None and not charter.monitor.slices:
        remedy = "Name columns there, or write worst_slice(COLUMN)."
        raise CharterMistake(place, "`worst_slice` goes through monitor.slices, which is empty", remedy)
    if isinstance(rule.part, Gap):
        if rule.bound.reference is not None:
            raise CharterMistake(
                place, "a gap is compared with a number only", "Write gap(COLUMN).METRIC <= 0.1."
            )
        if section == "accept" and rule.wants_high:
            raise CharterMistake(place, f"`{rule}` asks for a large gap", "Write <=: groups should be alike.")
        if section != "accept" and not rule.wants_high:
            what = f"`{rule}` holds as soon as any two groups are alike"
            raise CharterMistake(place, what, "Write >: a large gap is what must not be.")
        if rule.bound.offset < 0:
            raise CharterMistake(place, f"`{rule}`: no gap is negative", "Write a bound from 0 on.")
    if section == "accept":
        return
    watched = charter.monitor.slices if rule.part == WorstSlice(None) else rule.columns
    hidden = {charter.task.target, *charter.data.personal, *charter.data.exclude}
    for column in watched:
        if column in hidden:
            what = f"column {column!r} is kept out of the model, so production does not record it"
            raise CharterMistake(place, what, "Watch another column, or make it a feature.")


def _check_service(rule: Comparison, section: str, place: str) -> None:
    if section != "accept":
        raise CharterMistake(place, f"{rule.metric} is measured on the bundle only", "Put it under accept.")
    if rule.part is not None or rule.period is not None or rule.bound.reference is not None:
        what = f"{rule.metric} is measured on the bundle: it has no slices, no window, and no champion"
        raise CharterMistake(place, what, f"Write {rule.metric} {rule.operator} NUMBER.")
