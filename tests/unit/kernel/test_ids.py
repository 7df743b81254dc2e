"""Ids sort by time and do not collide."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vitok.kernel import ids
from vitok.kernel.ids import new_id, new_ids

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
MOMENTS = st.datetimes(
    NOW.replace(year=2000, tzinfo=None), NOW.replace(year=2999, tzinfo=None), timezones=st.just(UTC)
)


def test_many_ids_of_one_moment_differ_and_begin_alike():
    found = [key for _ in range(4000) for key in new_ids(NOW, 5)]
    assert len(set(found)) == 20_000
    assert {len(key) for key in found} == {20}
    assert {key[:10] for key in found} == {"01kdvdna00"}
    # Each of the last ten characters takes all 32 values, so none of the random bits is lost.
    assert all(len({key[place] for key in found}) == 32 for place in range(10, 20))


@example(b"\xff" * 7, 3)
@given(st.binary(min_size=7, max_size=7), st.integers(1, 3000))
def test_ids_of_a_run_follow_each_other(random, count):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "urandom", lambda size: random)
        found = new_ids(NOW, count)
    numbers = [sum(ALPHABET.index(c) << 5 * p for p, c in enumerate(reversed(key[10:]))) for key in found]
    first = int.from_bytes(random) >> 6
    assert numbers == [(first + place) % 2**50 for place in range(count)]


def test_no_ids_of_a_moment_are_none():
    assert new_ids(NOW, 0) == []


@given(MOMENTS, st.timedeltas(timedelta(milliseconds=1), timedelta(days=1000)))
def test_later_ids_sort_behind_earlier_ones(moment, later):
    assert new_id(moment) < new_id(moment + later)
