"""Window arithmetic."""

from datetime import UTC, datetime, timedelta

import pytest

from vitok.kernel.clock import parse_time
from vitok.monitor.windows import Window, closed_windows, is_complete, window_start, window_state

DAY = timedelta(days=1)


def _at(day: int, hour: int = 0) -> datetime:
    return datetime(2013, 3, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("width", "start"),
    [
        (DAY, _at(7)),
        (timedelta(hours=6), _at(7, 12)),
        (timedelta(days=7), _at(4)),
        (timedelta(hours=1), _at(7, 13)),
    ],
)
def test_windows_start_with_the_day_the_hour_and_monday(width: timedelta, start: datetime) -> None:
    assert window_start(_at(7, 13), width) == start
    assert window_start(start, width) == start


def test_windows_before_1970_start_in_order_as_well() -> None:
    early = datetime(1969, 12, 31, 23, tzinfo=UTC)
    assert window_start(early, DAY) == datetime(1969, 12, 31, tzinfo=UTC)


def test_closed_windows_are_fully_past() -> None:
    assert closed_windows(_at(1, 5), _at(9), DAY, _at(3, 1)) == [(_at(1), _at(2)), (_at(2), _at(3))]
    assert closed_windows(_at(1, 5), _at(1, 6), DAY, _at(9)) == [(_at(1), _at(2))]
    assert closed_windows(_at(1), _at(9), DAY, _at(1, 23)) == []
    assert len(closed_windows(_at(1), _at(1), DAY, _at(2))) == 1


def test_labels_of_a_window_ripen_after_their_delay() -> None:
    delay = timedelta(hours=4)
    assert not is_complete(_at(2), delay, _at(2, 3))
    assert is_complete(_at(2), delay, _at(2, 4))
    assert is_complete(_at(2), None, _at(2))
    states = [window_state(_at(2), delay, now) for now in (_at(1, 23), _at(2), _at(2, 4))]
    assert states == ["open", "maturing", "final"]


def test_a_window_is_json() -> None:
    window = Window(_at(1), _at(2), 10, 3, "maturing")
    assert window.as_json() == {
        "start": "2013-03-01T00:00:00Z",
        "end": "2013-03-02T00:00:00Z",
        "rows": 10,
        "labelled": 3,
        "state": "maturing",
        "drift": [],
        "quality": {},
        "fallen": [],
        "estimated": {},
        "reweighted": {},
        "slices": {},
        "volume": [],
    }


def test_the_night_on_which_clocks_are_set_belongs_to_windows_like_any_other() -> None:
    """New York, 10 March 2013: after 01:59:59 comes 03:00:00; on 3 November the hour from 01:00 comes twice."""
    before, after = parse_time("2013-03-10T01:59:59-05:00", "t"), parse_time("2013-03-10T03:00:00-04:00", "t")
    assert after - before == timedelta(seconds=1)
    hour = timedelta(hours=1)
    assert window_start(after, hour) - window_start(before, hour) == hour
    first, again = parse_time("2013-11-03T01:30:00-04:00", "t"), parse_time("2013-11-03T01:30:00-05:00", "t")
    assert again - first == hour
    days = closed_windows(before, again, timedelta(days=1), again + timedelta(days=2))
    assert {end - start for start, end in days} == {timedelta(days=1)}
    assert window_state(days[0][1], hour, days[0][1] + hour) == "final"
