"""What watches a risk: a gate of the charter or an alert of production, parsed once into typed objects."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from vitok.charter.expressions import parse_expression
from vitok.errors import CharterMistake, did_you_mean

_FORM = re.compile(r"\s*(gate|alert)\s*\((.*)\)\s*", re.DOTALL)
_HINT = (
    "Write gate(GATE) with a gate of accept, alert(quality), alert(drift), alert(drift.COLUMN) "
    "or alert(missing.COLUMN)."
)


@dataclass(frozen=True, slots=True)
class GateWatcher:
    """A gate of `accept`, in its canonical text."""

    gate: str

    def __str__(self) -> str:
        return f"gate({self.gate})"


@dataclass(frozen=True, slots=True)
class AlertWatcher:
    """An alert of production.

    Args:
        kind: `missing` is a drift alert because of the share of missing values.
        column: Which column it must name; None for any (`quality` and `drift` only).
    """

    kind: Literal["quality", "drift", "missing"]
    column: str | None = None

    def __str__(self) -> str:
        return f"alert({self.kind})" if self.column is None else f"alert({self.kind}.{self.column})"


Watcher = GateWatcher | AlertWatcher


def canonical_gate(text: str) -> str:
    """The one text of all gates that mean the same; a text that is no gate stays as it is.

    Verdicts and charters of the past are compared by it, and a later version of the language may not read them.

    >>> canonical_gate("roc_auc>=0.70")
    'roc_auc >= 0.7'
    """
    try:
        return str(parse_expression(text))
    except CharterMistake:
        return text.strip()


def parse_watcher(text: str, place: str = "watched_by", accept: Iterable[str] | None = None) -> Watcher:
    """Parses one `watched_by`.

    Args:
        text: For example `gate(roc_auc >= 0.7)`, `alert(quality)`, `alert(missing.temp)`.
        place: Where the text stands, for the message.
        accept: The charter's gates; None does not look whether the gate is among them.

    Raises:
        CharterMistake: the text has another form, or the gate is not in `accept`.

    >>> str(parse_watcher("alert( missing.temp )"))
    'alert(missing.temp)'
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise CharterMistake(place, f"cannot read {text!r}", _HINT)
    inside = match[2].strip()
    if match[1] == "gate":
        return _gate(inside, place, accept)
    return _alert(text, inside, place)


def _gate(inside: str, place: str, accept: Iterable[str] | None) -> GateWatcher:
    gate = str(parse_expression(inside, place))
    known = None if accept is None else [canonical_gate(each) for each in accept]
    if known is not None and gate not in known:
        hint = did_you_mean(gate, known) or f"Gates: {', '.join(f'`{each}`' for each in known)}."
        raise CharterMistake(
            place, f"`{gate}` is no gate of accept, so nothing watches the risk", hint.strip()
        )
    return GateWatcher(gate)


def _alert(text: str, inside: str, place: str) -> AlertWatcher:
    kind, dot, column = inside.partition(".")
    kind, column = kind.strip(), column.strip()
    if kind not in ("quality", "drift", "missing"):
        raise CharterMistake(place, f"there is no alert {inside!r}", _HINT)
    if kind == "quality" and dot:
        raise CharterMistake(place, f"{text!r}: quality has no columns", "Write alert(quality).")
    if (dot or kind == "missing") and not column:
        raise CharterMistake(place, f"{text!r} names no column", f"Write alert({kind}.COLUMN).")
    return AlertWatcher(kind, column or None)  # type: ignore[arg-type]
