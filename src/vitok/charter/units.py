"""Units of bounds: times and sizes are written as people say them, and converted to the metric's own unit."""

from dataclasses import replace

from vitok.charter.expressions import Comparison
from vitok.errors import CharterMistake
from vitok.stats.catalogue import METRICS, SERVICE_UNITS

_TIMES = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZES = {"kB": 0.001, "MB": 1.0, "GB": 1000.0}


def unit_of(metric: str, target_unit: str | None) -> str | None:
    """The unit of a metric: its own, or that of the target; None for a bare number.

    Args:
        metric: A name of the catalogue.
        target_unit: `task.unit` of the charter.
    """
    if metric in SERVICE_UNITS:
        return SERVICE_UNITS[metric]
    return target_unit if metric in METRICS and METRICS[metric].in_target_units else None


def in_own_unit(comparison: Comparison, target_unit: str | None, place: str) -> Comparison:
    """The comparison with its bound in the metric's own unit.

    Raises:
        CharterMistake: the unit does not fit the metric.
    """
    bound = comparison.bound
    if not bound.unit:
        return comparison
    own = unit_of(comparison.metric, target_unit)
    for scale in (_TIMES, _SIZES):
        if own in scale and bound.unit in scale:
            offset = round(bound.offset * scale[bound.unit] / scale[own], 12)
            return replace(comparison, bound=replace(bound, offset=offset, unit=""))
    has = f"is measured in {own}" if own else "has no unit"
    of_target = comparison.metric in METRICS and METRICS[comparison.metric].in_target_units and own is None
    remedy = "State the target's unit under task.unit." if of_target else "Write the bound without it."
    raise CharterMistake(place, f"{comparison.metric} {has}, but its bound is in {bound.unit!r}", remedy)
