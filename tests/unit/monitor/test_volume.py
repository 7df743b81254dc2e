"""Counts of windows: a year of real flights is quiet, and what stops or swells is told at once."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from vitok.data.flights import build_tables, package_folder
from vitok.monitor.evidence import Watch, limits, weigh
from vitok.monitor.volume import LEAST_USUAL, volume_finding

DAY, HOUR, WEEK = timedelta(days=1), timedelta(hours=1), timedelta(days=7)
START = datetime(2013, 1, 1, tzinfo=UTC)
BUDGET = (1, timedelta(days=90))


@pytest.fixture(scope="module")
def departures():
    """When the flights of 2013 left, on the clock."""
    return build_tables(package_folder())[0]["departure"]


def counted(times, width):
    """Rows of each window of the year."""
    number = (times.dt.epoch("s") - int(START.timestamp())) // int(width.total_seconds())
    return np.bincount(number.to_numpy()[number.to_numpy() >= 0], minlength=int(364 * DAY / width))


def cries(counts, width, start=START):
    """The places of the windows with which an alarm begins, and whom it names."""
    limit, state, past, found = limits(BUDGET, width)["volume"], Watch(), {}, []
    for place, count in enumerate(counts.tolist()):
        moment = start + place * width
        finding = volume_finding("predictions", count, past, moment, width)
        past[moment] = count
        state, verdict = weigh(state, finding.members, limit)
        if verdict is not None and verdict.cries:
            found.append((place, verdict.named))
    return found


@pytest.mark.parametrize("width", [DAY, 6 * HOUR, WEEK])
def test_a_year_of_flights_with_quiet_saturdays_and_holidays_raises_nothing(departures, width):
    assert cries(counted(departures, width)[: int(364 * DAY / width)], width) == []


def test_weeks_of_flights_by_the_hour_raises_nothing_and_a_stop_is_told_within_hours(departures):
    counts = counted(departures, HOUR)[: 40 * 24]
    assert cries(counts, HOUR) == []
    stopped = counts.copy()
    stop = 30 * 24 + 18
    stopped[stop:] = 0
    place, named = cries(stopped, HOUR)[0]
    assert stop <= place <= stop + 3
    assert named == ("fewer predictions",)


def test_traffic_that_stops_or_grows_fivefold_is_told_with_the_first_day(departures):
    counts = counted(departures, DAY)[:365]
    stopped, flooded = counts.copy(), counts.copy()
    stopped[200:], flooded[200] = 0, 5 * counts[200]
    assert cries(stopped, DAY)[0] == (200, ("fewer predictions",))
    assert cries(flooded, DAY)[0] == (200, ("more predictions",))


def test_an_alarm_ends_when_rows_come_again_also_after_an_outage_longer_than_all_memory(departures):
    counts = counted(departures, DAY)[:365]
    counts[100:200] = 0
    state, past, held = Watch(), {}, []
    for place, count in enumerate(counts.tolist()):
        finding = volume_finding("predictions", count, past, START + place * DAY, DAY)
        past[START + place * DAY] = count
        state, _ = weigh(state, finding.members, 900.0)
        held.append(bool(state.held))
    assert not any(held[:100])
    assert all(held[100:200])
    assert not any(held[200:])


def test_a_clock_set_forward_moves_the_day_by_an_hour_without_an_alarm():
    rng, hours = np.random.default_rng(0), np.arange(24 * 7 * 8)
    local = hours + (hours > 24 * 7 * 5)
    rate = np.where((local % 24 >= 8) & (local % 24 < 18), 400.0, 6.0)
    assert cries(rng.poisson(rate), HOUR) == []


def test_growth_is_no_alarm_and_few_rows_tell_nothing():
    rng = np.random.default_rng(1)
    growing = 200 * 1.03 ** (np.arange(365) / 7)
    assert cries(rng.poisson(growing), DAY) == []
    rare = rng.poisson(np.full(365, LEAST_USUAL / 4))
    rare[200:] = 0
    assert cries(rare, DAY) == []


def test_false_alarms_of_scattered_counts_stay_within_the_budget():
    """Counts of days that scatter by a third around a weekly rhythm: far below one alarm in 900 windows."""
    found = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rate = 500 * np.tile([1, 1, 1, 1, 0.9, 0.2, 0.3], 52) * np.exp(rng.normal(0, 0.33, 364))
        found += len(cries(rng.poisson(rate), DAY))
    assert found <= 40 * 364 / 900


def test_a_finding_says_what_came_and_what_is_usual():
    past = {START + number * DAY: 100 for number in range(21)}
    found = volume_finding("outcomes", 0, past, START + 21 * DAY, DAY)
    assert found.sentence == "outcomes: none, usual for windows of this weekday and hour are about 100."
    assert found.as_json() == {"what": "outcomes", "count": 0, "usual": 100.0, "sentence": found.sentence}
    assert set(found.members) == {"fewer outcomes", "more outcomes"}
    early = volume_finding("outcomes", 0, {START: 100}, START + DAY, DAY)
    assert early.usual is None
    assert early.members == {}
