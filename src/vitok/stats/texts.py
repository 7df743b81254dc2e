"""Texts as numbers that profiles can count: how long they are, and what they are made of.

A text is hardly ever the same twice, so its levels say nothing: all are unseen. What moves when another source, another
language or a broken encoding comes in is its size and its make-up.
"""

import polars as pl

# The suffixes of the summaries of a column; a colon is no part of a user's column that Vitok takes in.
SUFFIXES = (":length", ":words", ":letters", ":digits")
_LEAST_LENGTH, _LEAST_DISTINCT = 20.0, 0.5


def is_text(column: pl.Series) -> bool:
    """Whether a column holds texts rather than levels: long values, of which most are there once."""
    values = column.drop_nulls()
    if values.dtype != pl.String or len(values) == 0:
        return False
    mean = values.str.len_chars().mean()
    assert isinstance(mean, float)
    return mean >= _LEAST_LENGTH and values.n_unique() >= _LEAST_DISTINCT * len(values)


def summaries(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Length in characters, words, and shares of letters and digits of each text; null where it is missing.

    Args:
        names: Columns of texts.

    Returns:
        Columns `NAME:length`, `NAME:words`, `NAME:letters`, `NAME:digits`.
    """
    found = []
    for name in names:
        text = pl.col(name)
        length = text.str.len_chars().cast(pl.Float64)
        found += [
            length.alias(f"{name}:length"),
            text.str.count_matches(r"\S+").cast(pl.Float64).alias(f"{name}:words"),
            _share(text, r"\p{L}", length).alias(f"{name}:letters"),
            _share(text, r"\p{N}", length).alias(f"{name}:digits"),
        ]
    return frame.select(found) if found else pl.DataFrame()


def summarised(columns: list[str]) -> list[str]:
    """The texts whose summaries are among some columns."""
    return sorted({name.rpartition(":")[0] for name in columns if name.endswith(SUFFIXES)})


def _share(text: pl.Expr, pattern: str, length: pl.Expr) -> pl.Expr:
    counted = text.str.count_matches(pattern).cast(pl.Float64) / length
    return pl.when(length > 0).then(counted).otherwise(pl.when(text.is_not_null()).then(0.0))
