"""Where predictions lie in the lake: those of workers in one table, those of batches in tables with typed inputs.

A worker's inputs are JSON, since it answers versions of any inputs; a batch has the same inputs in millions of rows,
and JSON would take longer than the model. A table of batches has a column for each input, so there is one for each
list of inputs and types, numbered from 1. Whoever reads sees no difference: inputs become JSON for those who ask.
"""

from itertools import count, takewhile

import polars as pl

from vitok.journal.frames import PREDICTIONS
from vitok.store.lake import Lake, plain_types

TABLE = "predictions"
INPUT = "input "  # begins the name of an input's column: no column of the journal has a blank


def batch_tables(lake: Lake) -> list[str]:
    """The tables of batches, in the order in which they were begun."""
    return list(takewhile(lake.exists, map("batches-{}".format, count(1))))


def batch_table(lake: Lake, frame: pl.DataFrame) -> str:
    """The table for rows of a batch: the one of the same inputs, or a new one.

    Args:
        frame: Columns of the journal without `inputs`, and an `INPUT` column for each input.
    """
    schema, tables = plain_types(frame).schema, batch_tables(lake)
    same = (table for table in tables if lake.scan(table).collect_schema() == schema)
    return next(same, f"batches-{len(tables) + 1}")


def scan_predictions(lake: Lake) -> pl.LazyFrame:
    """All predictions in the lake, with the columns of the journal; none if nothing was predicted yet."""
    parts = [lake.scan(TABLE).select(PREDICTIONS.names())] if lake.exists(TABLE) else []
    parts += [with_json(lake.scan(table)) for table in batch_tables(lake)]
    return pl.concat(parts) if parts else pl.DataFrame(schema=PREDICTIONS).lazy()


def has_predictions(lake: Lake) -> bool:
    """Whether anything was predicted and moved into the lake."""
    return lake.exists(TABLE) or bool(batch_tables(lake))


def revision(lake: Lake) -> str:
    """Another text whenever there are other predictions."""
    return " ".join([str(lake.latest(TABLE)), *(str(lake.latest(table)) for table in batch_tables(lake))])


def with_json(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of a batch with the columns of the journal: their inputs as JSON."""
    inputs = [name for name in rows.collect_schema().names() if name.startswith(INPUT)]
    columns = pl.struct(pl.col(name).alias(name.removeprefix(INPUT)) for name in inputs)
    return rows.with_columns(inputs=columns.struct.json_encode()).select(PREDICTIONS.names())
