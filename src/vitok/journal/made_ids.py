"""Ids that a batch makes for rows without one: numbered, so that the index keeps ranges in place of millions of ids."""

import polars as pl

from vitok.journal.index import MADE_DIGITS


def made_ids(run: str, numbers: pl.Expr) -> pl.Expr:
    """Ids of a batch's rows that have none of their own: of one width, so that their order is that of the rows."""
    return pl.format("{}-{}", pl.lit(run), numbers.cast(pl.String).str.zfill(MADE_DIGITS))


def made_range(run: str, ids: pl.Series) -> tuple[int, int] | None:
    """First and last number if ids are the made ones of rows in a row; several may be of one row."""
    digits = ids.str.strip_prefix(f"{run}-")
    if not ids.str.starts_with(f"{run}-").all() or not (digits.str.len_bytes() == MADE_DIGITS).all():
        return None
    numbers = digits.cast(pl.Int64, strict=False)
    first, last = numbers.min(), numbers.max()
    if numbers.has_nulls() or not isinstance(first, int) or not isinstance(last, int):
        return None
    return (first, last) if numbers.n_unique() == last - first + 1 else None
