"""What changed among the gates of two charters: loosened, tightened, added, removed."""

from collections.abc import Iterator
from dataclasses import replace

from vitok.charter.expressions import Comparison, parse_expression
from vitok.charter.watchers import canonical_gate
from vitok.errors import CharterMistake

REWRITTEN = "gates were reordered, repeated or written in another way; they mean the same"


def gate_changes(old: list[str], new: list[str]) -> Iterator[str]:
    """Sentences on the gates that differ; writing the same gate in another way is told as well.

    A gate is loosened or tightened if all but the number of its bound stayed: metric, operator, rows, what it is
    compared with.
    """
    before, after = _by_meaning(old), _by_meaning(new)
    gone = {gate: text for gate, text in before.items() if gate not in after}
    come = {gate: text for gate, text in after.items() if gate not in before}
    for key in (_all_but_the_number, _same_figure):
        for gate, text in list(gone.items()):
            partner = next((other for other in come if _matches(key(gate), key(other))), None)
            if partner is not None:
                yield f"gate `{text}` was {_direction(gate, partner)} to `{come.pop(partner)}`"
                del gone[gate]
    yield from (f"gate `{text}` removed" for text in gone.values())
    yield from (f"gate `{text}` added" for text in come.values())
    if set(before) == set(after) and old != new:
        yield REWRITTEN


def _by_meaning(texts: list[str]) -> dict[str, str]:
    return {canonical_gate(text): text for text in texts}


def _comparison(gate: str) -> Comparison | None:
    try:
        parsed = parse_expression(gate)
    except CharterMistake:
        return None
    return parsed if isinstance(parsed, Comparison) else None


def _matches(one: object, other: object) -> bool:
    return one is not None and one == other


def _all_but_the_number(gate: str) -> Comparison | None:
    parsed = _comparison(gate)
    return None if parsed is None else replace(parsed, bound=replace(parsed.bound, factor=1.0, offset=0.0))


def _same_figure(gate: str) -> str | None:
    """The left side: the figure and the rows that it is of."""
    parsed = _comparison(gate)
    return None if parsed is None else str(parsed).partition(f" {parsed.operator} ")[0]


def _direction(old: str, new: str) -> str:
    before, after = _comparison(old), _comparison(new)
    assert before is not None
    assert after is not None
    if _all_but_the_number(old) != _all_but_the_number(new):
        return "changed"
    if before.bound.factor != after.bound.factor:
        if before.bound.offset != after.bound.offset or before.bound.reference is None:
            return "changed"
        rises = after.bound.factor > before.bound.factor
    else:
        rises = after.bound.offset > before.bound.offset
    return "tightened" if rises == before.wants_high else "loosened"
