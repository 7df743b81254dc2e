"""Faults of serving for replay: what hits requests whichever version answers them, the same for the same row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl
from msgspec.structs import replace
from pydantic import TypeAdapter, ValidationError

from vitok.charter.predicates import Condition
from vitok.charter.values import Period, Share
from vitok.errors import UserMistake
from vitok.loop.faults import TRAFFIC_KINDS, as_number, places
from vitok.loop.feed import ID, TIME, UNIT
from vitok.release.plan import Arm, Plan
from vitok.release.route import route_many

Bools = npt.NDArray[np.bool_]
_SHARE, _PERIOD = TypeAdapter[float](Share), TypeAdapter[timedelta](Period)


@dataclass(frozen=True, slots=True)
class TrafficFault:
    """Something that goes wrong with requests, not with a version.

    Args:
        text: As the user wrote it.
        kind: One of `TRAFFIC_KINDS`.
        since: The moment from which on rows are hit.
        share: Of the rows (`incident`), or of the units (`bursts`, `split`).
        lasts: How long; None for the rest of the span.
    """

    text: str
    kind: str
    since: datetime
    share: float
    lasts: timedelta | None = None

    def hits(self, times: pl.Series) -> Bools:
        """For each row whether its time lies within the fault."""
        inside = times >= self.since
        if self.lasts is not None:
            inside &= times < self.since + self.lasts
        return inside.to_numpy()


def parse_traffic_fault(text: str, kind: str, inner: str, since: datetime) -> TrafficFault:
    """Reads a fault of all traffic such as `incident(20%,12h)@2013-03-05`.

    Args:
        kind: One of `TRAFFIC_KINDS`.
        inner: What stands between the parentheses.

    Raises:
        UserMistake: there is no share, the share or the time is none, or it takes no time.
    """
    share, *rest = [part.strip() for part in inner.split(",")]
    try:
        if len(rest) > (kind == "incident"):
            raise ValueError
        found = _SHARE.validate_python(as_number(share))
        lasts = _PERIOD.validate_python(rest[0]) if rest else None
    except (ValidationError, ValueError) as error:
        raise UserMistake(
            "--inject", f"{inner!r} in {text!r} makes no sense", f"Write {TRAFFIC_KINDS[kind]}."
        ) from error
    return TrafficFault(text, kind, since, found, lasts)


def lost_rows(rows: pl.DataFrame, faults: Sequence[TrafficFault]) -> Bools:
    """For each row whether every version fails for it.

    Args:
        rows: With the columns of `vitok.loop.feed`.
    """
    lost = np.zeros(rows.height, dtype=np.bool_)
    for fault in faults:
        if fault.kind == "split":
            continue
        column = ID if fault.kind == "incident" else UNIT
        chosen = places(f"vitok:{fault.kind}", rows[column].to_list()) < fault.share
        lost |= chosen & fault.hits(rows[TIME])
    return lost


def route_rows(
    plan: Plan, rows: pl.DataFrame, faults: Sequence[TrafficFault], fits: Callable[[Condition], Bools]
) -> npt.NDArray[np.intp]:
    """For each row the index into `plan.arms` of the arm that answers it: as planned, or as a wrong split does.

    Args:
        fits: For each row whether it meets a condition, shape (n,).
    """
    units = rows[UNIT].to_list()
    arms = route_many(plan, units, fits)
    for fault in faults:
        if fault.kind == "split" and 0 < plan.live[0].share < 1:
            wrong = route_many(_with_share(plan, fault.share), units, fits)
            arms = np.where(fault.hits(rows[TIME]), wrong, arms)
    return arms


def _with_share(plan: Plan, share: float) -> Plan:
    def changed(arm: Arm) -> Arm:
        if arm not in plan.live:
            return arm
        return replace(arm, share=1 - share if arm is plan.live[-1] else share)

    return replace(plan, arms=tuple(changed(arm) for arm in plan.arms))
