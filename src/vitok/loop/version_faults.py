"""Faults of new versions for replay: what a release may bring, and what it does to rows, the same for the same row."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field, TypeAdapter, ValidationError
from scipy.special import ndtri

from vitok.charter.model import Charter
from vitok.charter.predicates import Condition, columns_of, parse_condition_on_rows
from vitok.charter.values import Multiple, Share
from vitok.errors import UserMistake, did_you_mean
from vitok.kernel.clock import format_time, parse_time
from vitok.loop.faults import TRAFFIC_KINDS, VERSION_KINDS, Fault, as_number, parse_fault, places
from vitok.loop.traffic_faults import TrafficFault, parse_traffic_fault
from vitok.model.bundle import Manifest
from vitok.stats.scores import Floats

Bools = npt.NDArray[np.bool_]
MEDIAN_MICROS, SPREAD = 1000.0, 0.5  # of the simulated time to score a row, log-normal
_FORM = re.compile(r"^(\w+)(?:\((.*)\))?@([^@()]+)$")
_EDGE = 1e-9  # a threshold of 0 or 1 leaves no room on its other side
_AMOUNTS: dict[str, tuple[TypeAdapter[float], str]] = {
    "slow": (TypeAdapter(Annotated[Multiple, Field(gt=0)]), "a multiple above 0, such as 2x"),
    "failing": (TypeAdapter(Share), "a share from 0 to 100 %, such as 5%"),
    "worse": (TypeAdapter(Share), "a share from 0 to 100 %, such as 10%"),
}


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version that appears at a moment, and what is the matter with it.

    Args:
        text: As the user wrote it.
        kind: One of `VERSION_KINDS`.
        since: The moment.
        amount: The multiple of the time, or the share of the rows; 1 where there is none.
        when: The segment that is decided the other way round, None for other kinds.
    """

    text: str
    kind: str
    since: datetime
    amount: float = 1.0
    when: Condition | None = None


def parse_injection(text: str, charter: Charter, columns: Sequence[str]) -> Fault | NewVersion | TrafficFault:
    """Reads a fault of the data, of a new version such as `failing(5%)@2013-03-05`, or of all traffic.

    Raises:
        UserMistake: the text is of no known form, an amount is out of its range, or a column does not exist.
    """
    match = _FORM.match(text)
    if match is None or match[1] not in VERSION_KINDS | TRAFFIC_KINDS:
        return parse_fault(text, charter, columns)
    kind, inner, since = match[1], (match[2] or "").strip(), parse_time(match[3], "--inject")
    if kind in TRAFFIC_KINDS:
        return parse_traffic_fault(text, kind, inner, since)
    if bool(inner) == (kind == "good"):
        count = "an argument" if inner else "no argument"
        raise UserMistake("--inject", f"{text!r} has {count}", f"Write {VERSION_KINDS[kind]}.")
    if kind == "wrong":
        return NewVersion(text, kind, since, when=_segment(inner, charter, columns))
    if kind == "good":
        return NewVersion(text, kind, since)
    reader, wanted = _AMOUNTS[kind]
    try:
        return NewVersion(text, kind, since, reader.validate_python(as_number(inner)))
    except ValidationError as error:
        raise UserMistake("--inject", f"{inner!r} in {text!r} is not {wanted}", f"Write {wanted}.") from error


def require_inside(version: NewVersion, start: datetime, end: datetime) -> None:
    """Checks that a version appears while history is replayed.

    Raises:
        UserMistake: it does not.
    """
    if not start <= version.since < end:
        raise UserMistake(
            "--inject",
            f"{version.text!r} lies outside of the span that is replayed",
            f"Choose a time from {format_time(start)} to before {format_time(end)}, or another --from and --to.",
        )


def service_micros(ids: Sequence[str], version: int, fault: NewVersion | None) -> npt.NDArray[np.int64]:
    """Simulated time to score each row, in microseconds, shape (n,): history does not know any."""
    factor = fault.amount if fault is not None and fault.kind == "slow" else 1.0
    normal = ndtri(places(f"vitok:micros/{version}", ids))
    micros = np.rint(factor * MEDIAN_MICROS * np.exp(SPREAD * normal))
    return np.asarray(np.maximum(micros, 1.0), dtype=np.int64)


def failing_rows(ids: Sequence[str], fault: NewVersion | None) -> Bools:
    """For each row whether the version fails."""
    if fault is None or fault.kind != "failing":
        return np.zeros(len(ids), dtype=np.bool_)
    return places("vitok:failing", ids) < fault.amount


def rows_of_others(ids: Sequence[str], fault: NewVersion, count: int) -> tuple[Bools, npt.NDArray[np.int64]]:
    """The rows that get another row's score, and of those the number of the other one, below `count`."""
    chosen = places("vitok:worse", ids) < fault.amount
    others = np.floor(places("vitok:other", ids)[chosen] * count).astype(np.int64)
    return chosen, others


def turned_round(scores: Floats, manifest: Manifest) -> Floats:
    """Scores that decide the other way round.

    Two classes: the score is mirrored at the threshold; several: the most and the least likely class change places; a
    value changes its sign.
    """
    if scores.ndim == 2:
        turned, rows = scores.copy(), np.arange(len(scores))
        best, least = scores.argmax(axis=1), scores.argmin(axis=1)
        turned[rows, best], turned[rows, least] = scores[rows, least], scores[rows, best]
        return turned
    if manifest.threshold is None:
        return -scores
    threshold = float(np.clip(manifest.threshold, _EDGE, 1 - _EDGE))
    below = np.minimum(threshold * (1 - scores) / (1 - threshold), np.nextafter(threshold, 0))
    above = 1 - (1 - threshold) * scores / threshold
    return np.where(scores >= manifest.threshold, below, above)


def _segment(text: str, charter: Charter, columns: Sequence[str]) -> Condition:
    condition = parse_condition_on_rows(text, "--inject")
    hidden = (charter.task.target, charter.task.label_time)
    known = [name for name in columns if name not in hidden]
    for name in sorted(columns_of(condition)):
        if name not in known:
            hint = did_you_mean(name, known)
            raise UserMistake(
                "--inject", f"{name!r} is no column of the rows", f"{hint}Columns: {', '.join(known)}."
            )
    return condition
