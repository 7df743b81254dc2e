"""Features of the flight-delay example; this file travels inside the model, so training and serving cannot differ."""

import polars as pl


def add_features(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the local hour and weekday of scheduled departure to rows of raw inputs."""
    local = pl.col("departure").dt.convert_time_zone("America/New_York")
    return frame.with_columns(
        hour=local.dt.hour() + local.dt.minute() / 60,
        weekday=local.dt.weekday().cast(pl.Float64),
    )
