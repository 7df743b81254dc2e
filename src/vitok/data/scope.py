"""Rows that are outside of a project's scope."""

import polars as pl
from polars.exceptions import PolarsError

from vitok.data.sources import first_line
from vitok.errors import CharterMistake


def count_rows(frame: pl.DataFrame, condition: str, place: str) -> int:
    """How many rows satisfy a condition.

    Args:
        condition: SQL over the columns, such as `cancelled = true`.
        place: Where it stands, for the message.

    Raises:
        CharterMistake: it cannot be read or does not fit the columns.
    """
    try:
        found = pl.SQLContext(rows=frame).execute(
            f"SELECT COUNT(*) AS n FROM rows WHERE {condition}", eager=True
        )
    except (PolarsError, RuntimeError) as error:
        what = f"the condition {condition!r} fails: {first_line(error)}"
        raise CharterMistake(place, what, "Write SQL over columns of the data.") from error
    return int(found.item())
