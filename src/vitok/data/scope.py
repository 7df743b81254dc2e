"""Rows that are outside of a project's scope."""

import polars as pl
from polars.exceptions import PolarsError

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
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CharterMistake(
            place, f"the condition {condition!r} fails: {reason}", "Write SQL over columns of the data."
        ) from error
    return int(found.item())
