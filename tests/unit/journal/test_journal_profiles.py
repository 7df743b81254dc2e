"""The store of profiles: any span is the sum of its rows, and each record counts once."""

import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitok.journal.profiles import Group, Part, ProfilesFault, ProfileStore, smallest_window
from vitok.stats.bins import fit_bins
from vitok.stats.packed import pack, unpack
from vitok.stats.profiles import profile

START = datetime(2013, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BINS = fit_bins(pl.DataFrame({"x": np.arange(100.0)}), ["x"], [])


def _part(hour, values, digest="d", role="champion", part="", version=1):
    content = pack(profile(pl.DataFrame({"x": values}, schema={"x": pl.Float64}), BINS), BINS)
    return Part(START + hour * HOUR, digest, version, role, part, content)


def _store(path=None, smallest=HOUR, **about):
    return ProfileStore(path, smallest, about)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-2000, 2000), st.floats(-10, 110)), max_size=30),
    st.integers(-2100, 2100),
    st.integers(0, 4000),
)
def test_any_span_is_the_sum_of_its_rows(rows, first, length):
    store = _store()
    for number, (hour, value) in enumerate(rows):
        assert store.add([_part(hour, [value])], {"w": number}, {"w": number - 1} if number else {})
    inside = [value for hour, value in rows if first <= hour < first + length]
    found = store.read(START + first * HOUR, START + (first + length) * HOUR, "d")
    if not inside:
        assert found is None
    else:
        assert unpack(found, BINS) == profile(pl.DataFrame({"x": inside}), BINS)
    groups = store.groups(START + first * HOUR, START + (first + length) * HOUR)
    assert groups == ([Group("d", 1, "champion", len(inside))] if inside else [])


def test_versions_roles_and_slices_are_apart():
    store = _store()
    parts = [
        _part(0, [1.0, 2.0]),
        _part(0, [3.0], role="shadow"),
        _part(1, [4.0], digest="e", version=2),
        _part(0, [1.0], part="origin=JFK"),
    ]
    assert store.add(parts, {"w": 3}, {})
    end = START + 2 * HOUR
    assert store.groups(START, end) == [
        Group("d", 1, "champion", 2),
        Group("d", 1, "shadow", 1),
        Group("e", 2, "champion", 1),
    ]
    assert store.read(START, end, "d").rows == 3
    assert store.read(START, end, "d", without={"shadow"}).rows == 2
    assert store.read(START, end, "d", part="origin=JFK").rows == 1
    assert store.slices(START, end, "d") == ["origin=JFK"]
    assert store.slices(START, end, "e") == []
    assert store.span() == (START, end)


def test_of_two_who_counted_the_same_records_one_is_told_so():
    store = _store()
    assert store.add([_part(0, [1.0])], {"a": 5}, {})
    assert not store.add([_part(0, [1.0])], {"a": 5}, {})
    assert store.read(START, START + HOUR, "d").rows == 1
    assert store.add([_part(0, [2.0])], {"a": 6, "b": 1}, {"a": 5})
    assert store.counted() == {"a": 6, "b": 1}


def test_threads_with_connections_of_their_own_count_each_record_once(tmp_path):
    def count(store):
        while True:
            before = store.counted()
            done = before.get("w", -1)
            if done >= 49:
                return
            store.add([_part(done % 30, [1.0])], {"w": done + 1}, before)

    stores = [_store(tmp_path / "p.sqlite") for _ in range(3)]
    threads = [threading.Thread(target=count, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].read(START - HOUR, START + 40 * HOUR, "d").rows == 50


def test_other_slices_or_windows_begin_anew_and_the_same_do_not(tmp_path):
    path = tmp_path / "p.sqlite"
    store = _store(path, slices=["origin"])
    store.add([_part(0, [1.0])], {"w": 0}, {})
    store.note("revision", "4")
    store.close()
    again = _store(path, slices=["origin"])
    assert (again.counted(), again.noted("revision")) == ({"w": 0}, "4")
    again.close()
    other = _store(path, slices=["carrier"])
    assert (other.counted(), other.noted("revision"), other.span()) == ({}, None, None)


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "p.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(ProfilesFault, match="Delete the file"):
        _store(tmp_path / "p.sqlite")


@pytest.mark.parametrize(
    ("window", "smallest"),
    [("1d", 3600), ("7d", 3600), ("15m", 900), ("90m", 1800), ("45m", 900), ("7s", 1), ("2m", 60)],
)
def test_smallest_windows_divide_windows_and_days(window, smallest):
    unit = {"d": 86400, "m": 60, "s": 1}[window[-1]]
    assert smallest_window(timedelta(seconds=int(window[:-1]) * unit)) == timedelta(seconds=smallest)
    assert 86400 % smallest == 0
