"""Tests of the features: `pytest` in the project's folder runs them."""

from datetime import UTC, datetime

import polars as pl
from features import add_features


def added(*instants: datetime | None) -> pl.DataFrame:
    """The features of flights by their departures."""
    return add_features(pl.DataFrame({"departure": instants}, schema={"departure": pl.Datetime("us", "UTC")}))


def test_hour_and_weekday_are_those_of_new_york() -> None:
    found = added(datetime(2013, 3, 1, 17, 30, tzinfo=UTC), datetime(2013, 3, 2, 3, 15, tzinfo=UTC))
    assert found["hour"].to_list() == [12.5, 22.25]
    assert found["weekday"].to_list() == [5.0, 5.0]  # the second is Saturday in UTC only


def test_hours_follow_summer_time() -> None:
    winter, summer = datetime(2013, 3, 8, 12, tzinfo=UTC), datetime(2013, 3, 15, 12, tzinfo=UTC)
    assert added(winter, summer)["hour"].to_list() == [7.0, 8.0]


def test_a_missing_departure_gives_missing_features() -> None:
    assert added(None).select("hour", "weekday").row(0) == (None, None)
