"""Faults for replay: what may go wrong in production, put into history from a moment on."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from vitok.charter.model import Charter
from vitok.errors import UserMistake
from vitok.kernel.clock import parse_time
from vitok.release.route import position

KINDS = {
    "missing": "missing(COLUMN): the source of a column dies",
    "scale": "scale(COLUMN,FACTOR): a number changes its unit",
    "value": "value(COLUMN,TEXT): a category takes a value that nobody has seen",
    "no_labels": "no_labels: outcomes stop coming",
}
VERSION_KINDS = {
    "good": "good: a new version that answers as the champion does",
    "slow": "slow(2x): one that takes so many times as long",
    "failing": "failing(5%): one that fails for this share of its rows",
    "wrong": "wrong(carrier = 'UA'): one that decides the other way round in a segment",
    "worse": "worse(10%): one that gives this share of its rows the score of another row",
}
TRAFFIC_KINDS = {
    "incident": "incident(20%) or incident(20%,12h): this share of the requests fails, whichever version answers",
    "bursts": "bursts(1%): all requests of this share of the units fail, whichever version answers",
    "split": "split(12%): the new version gets this share of the units, whatever was planned",
}
_FAULT = re.compile(r"^(\w+)(?:\(([^()]*)\))?@(.+)$")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault from a moment on.

    Args:
        kind: One of `KINDS`.
        column: What it hits, None for `no_labels`.
        argument: Factor or text.
        since: From when on.
    """

    kind: str
    column: str | None
    argument: str | None
    since: datetime


def parse_fault(text: str, charter: Charter, columns: Sequence[str]) -> Fault:
    """Reads a fault such as `scale(temp,1000)@2013-06-01`.

    Raises:
        UserMistake: the text is of no known form, or names no column that is a feature's source.
    """
    match = _FAULT.match(text)
    if match is None or match[1] not in KINDS:
        forms = "; ".join([*KINDS.values(), *VERSION_KINDS.values(), *TRAFFIC_KINDS.values()])
        raise UserMistake("--inject", f"{text!r} is no fault", f"Write FAULT@TIME with one of: {forms}.")
    kind, since = match[1], parse_time(match[3], "--inject")
    arguments = [part.strip() for part in (match[2] or "").split(",") if part.strip()]
    wanted = {"missing": 1, "scale": 2, "value": 2, "no_labels": 0}[kind]
    if len(arguments) != wanted:
        raise UserMistake("--inject", f"{text!r} has {len(arguments)} argument(s)", f"Write {KINDS[kind]}.")
    column = arguments[0] if arguments else None
    closed = (charter.task.target, charter.task.time, charter.task.id, charter.task.label_time)
    if column is not None and (column not in columns or column in closed):
        raise UserMistake("--inject", f"{column!r} cannot be hit", f"Columns: {', '.join(columns)}.")
    return Fault(kind, column, arguments[1] if wanted == 2 else None, since)


def places(salt: str, keys: Sequence[str]) -> npt.NDArray[np.float64]:
    """A fixed place in [0, 1) for each row or unit, by which faults choose whom they hit."""
    return np.fromiter((position(salt, key) for key in keys), dtype=np.float64, count=len(keys))


def as_number(text: str) -> float | str:
    """A number where the text is one; units, such as of `20%`, are read later."""
    try:
        return float(text)
    except ValueError:
        return text


def apply_faults(rows: pl.DataFrame, charter: Charter, faults: Sequence[Fault]) -> pl.DataFrame:
    """History with the faults in it.

    Raises:
        UserMistake: a factor is no number, or a column is not of the kind that the fault needs.
    """
    for fault in faults:
        hit = pl.col(str(charter.task.time)) >= fault.since
        name = charter.task.target if fault.column is None else fault.column
        rows = rows.with_columns(
            pl.when(hit).then(_broken(rows, name, fault)).otherwise(pl.col(name)).alias(name)
        )
    return rows


def _broken(rows: pl.DataFrame, name: str, fault: Fault) -> pl.Expr:
    kind = rows.schema[name]
    if fault.kind in ("missing", "no_labels"):
        return pl.lit(None, dtype=kind)
    if fault.kind == "value":
        if kind != pl.String:
            raise UserMistake(
                "--inject", f"{name!r} is no category but {kind}", "Hit it with missing or scale."
            )
        return pl.lit(fault.argument)
    try:
        factor = float(str(fault.argument))
    except ValueError as error:
        raise UserMistake("--inject", f"{fault.argument!r} is no factor", "Write a number.") from error
    if not math.isfinite(factor):
        raise UserMistake("--inject", f"{fault.argument!r} is no factor", "Write a number.")
    if not kind.is_numeric():
        raise UserMistake("--inject", f"{name!r} is no number but {kind}", "Hit it with missing or value.")
    return (pl.col(name) * factor).cast(kind, strict=False)
