"""Ids that a batch makes for rows without one: numbered, so that the index keeps ranges in place of millions of ids."""

import polars as pl

from vitok.journal.index import MADE, MADE_DIGITS


def made_ids(run: str, numbers: pl.Expr) -> pl.Expr:
    """Ids of a batch's rows that have none of their own: of one width, so that their order is that of the rows."""
    return pl.format("{}-{}", pl.lit(run), numbers.cast(pl.String).str.zfill(MADE_DIGITS))


def made_range(run: str, ids: pl.Series) -> tuple[int, int] | None:
    """First and last number if ids are the made ones of rows in a row; several may be of one row."""
    least = ids.min()
    if not isinstance(least, str) or not (first := MADE.fullmatch(least)) or first[1] != run:
        return None  # ids of the rows' own: not sorted here, since the index sorts them
    given = ids.unique().sort()
    start = int(first[2])
    wanted = made_ids(run, pl.int_range(start, start + len(given), dtype=pl.Int64))
    return (start, start + len(given) - 1) if given.equals(pl.select(wanted).to_series()) else None
