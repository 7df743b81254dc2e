"""Gates that a test of this size can hardly decide, told before any work."""

from collections.abc import Iterator

from vitok.charter.expressions import Comparison
from vitok.charter.load import Document
from vitok.charter.problems import Problem
from vitok.stats.power import ANALYSED, TestSize, least_passing_value, paired_half_width, size_for_margin

_TYPICAL = 0.75
_FAR = 0.05  # a gate that asks so much more than it says is worth a word


def undecidable_gates(document: Document, size: TestSize) -> Iterator[Problem]:
    """Remarks on gates whose interval will be wider than the distance that matters.

    Args:
        size: The rows that the verdict will rest on.
    """
    for index, (gate, text) in enumerate(zip(document.rules.gates, document.charter.accept, strict=True)):
        if not isinstance(gate, Comparison) or gate.metric not in ANALYSED or not gate.wants_high:
            continue
        where = document.place(("accept", index))
        if gate.bound.reference is None and gate.part is None:
            yield from _against_number(gate, text, where, size)
        elif gate.bound.reference == "champion" and gate.bound.offset < 0 and gate.part is None:
            yield from _against_champion(gate, text, where, size)


def _against_number(gate: Comparison, text: str, where: str, size: TestSize) -> Iterator[Problem]:
    bound = gate.bound.offset
    if not 0 < bound < 1:
        return
    least = least_passing_value(gate.metric, bound, size)
    rows = f"{size.rows} test rows, {size.positives} of them positive"
    if least is None:
        factor = 1.1
        while least_passing_value(gate.metric, bound, size.scaled(factor)) is None and factor < 1e5:
            factor *= 1.1
        needed = size.scaled(factor)
        what = f"with {rows}, no figure can clear `{text}`: its interval is always too wide"
        remedy = f"Give about {needed.rows} test rows with {needed.positives} positive, or lower the bound."
        yield Problem(where, what, remedy, "error")
    elif least - bound > _FAR:
        what = f"with {rows}, `{text}` is passed only from {gate.metric} {least:.3f} on"
        yield Problem(where, what, "Give more test rows, or lower the bound knowingly.", "warning")


def _against_champion(gate: Comparison, text: str, where: str, size: TestSize) -> Iterator[Problem]:
    margin = -gate.bound.offset
    half = paired_half_width(gate.metric, _TYPICAL, size)
    if half > margin:
        needed = size_for_margin(gate.metric, _TYPICAL, size, margin)
        what = (
            f"with {size.rows} test rows the difference of two models is known to about {half:.2g} either way: "
            f"`{text}` refuses most versions that are just as good as the champion"
        )
        remedy = f"Meant so, keep it; else give about {needed.rows} test rows, or a margin of {half:.2g}."
        yield Problem(where, what, remedy, "note")
