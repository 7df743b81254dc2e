"""The segments that releases name: the flags and the pilot of the charter, parsed."""

from collections.abc import Callable
from dataclasses import dataclass

from vitok.charter.model import Charter
from vitok.charter.predicates import Condition, parse_condition_on_rows
from vitok.charter.section import Path


@dataclass(frozen=True, slots=True)
class Segments:
    """Conditions on rows.

    Args:
        flags: By name.
        pilot: Of the first rows that a pilot answers, None if the charter names none.
    """

    flags: dict[str, Condition]
    pilot: Condition | None


def parse_segments(charter: Charter, place: Callable[[Path], str]) -> Segments:
    """Parses what `release.flags` and `release.pilot` say.

    Args:
        place: From a path of the charter to where it stands, for messages.

    Raises:
        CharterMistake: a condition cannot be read.
    """
    flags = {
        name: parse_condition_on_rows(text, place(("release", "flags", name)))
        for name, text in charter.release.flags.items()
    }
    pilot = charter.release.pilot
    if pilot is None:
        return Segments(flags, None)
    known = flags.get(pilot)
    return Segments(flags, known or parse_condition_on_rows(pilot, place(("release", "pilot"))))
