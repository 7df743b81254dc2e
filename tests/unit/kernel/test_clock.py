from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.errors import UserMistake
from vitok.kernel.clock import VirtualClock, format_duration, format_time, parse_duration, parse_time
from vitok.kernel.digests import digest_json
from vitok.kernel.ids import new_id


@given(
    st.timedeltas(timedelta(milliseconds=1), timedelta(days=99)).map(
        lambda d: d - timedelta(microseconds=d.microseconds % 1000)
    )
)
def test_printed_duration_reads_back(duration):
    if duration:
        assert abs(parse_duration(format_duration(duration)) - duration) < timedelta(seconds=1)


@given(st.integers(-2_000_000_000, 7_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_printed_time_reads_back(instant):
    assert parse_time(format_time(instant)) == instant


@pytest.mark.parametrize("text", ["", "4", "h", "-4h", "4 weeks", "4,5h", "1e3s", "∞d", "9999999999y"])
def test_text_that_is_no_duration_is_refused(text):
    with pytest.raises(UserMistake, match="--delay"):
        parse_duration(text, "--delay")


@pytest.mark.parametrize("text", ["", "yesterday", "2020-13-01", "12:00", "2020-01-01T25:00"])
def test_text_that_is_no_time_is_refused(text):
    with pytest.raises(UserMistake, match="--from"):
        parse_time(text, "--from")


def test_virtual_clock_never_goes_back():
    clock = VirtualClock(datetime(2020, 1, 2, tzinfo=UTC))
    clock.move_to(datetime(2020, 1, 1, tzinfo=UTC))
    assert clock() == datetime(2020, 1, 2, tzinfo=UTC)


def test_ids_sort_by_time_and_differ():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = [new_id(start + timedelta(milliseconds=n)) for n in range(100)]
    assert made == sorted(made)
    assert len({new_id(start) for _ in range(1000)}) == 1000


def test_digest_does_not_depend_on_the_order_of_keys_and_refuses_nan():
    assert digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest_json({"a": float("nan")})


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_moment_outside_of_the_calendar_in_utc_is_a_mistake(text):
    with pytest.raises(UserMistake, match="lies before the first or after the last year"):
        parse_time(text, "--at")
