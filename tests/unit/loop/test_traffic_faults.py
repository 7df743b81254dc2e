"""Faults of all traffic: which rows they hit, and where a wrong split sends units."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from vitok.errors import UserMistake
from vitok.loop.feed import ID, TIME, UNIT
from vitok.loop.traffic_faults import TrafficFault, lost_rows, parse_traffic_fault, route_rows
from vitok.release.plan import Arm, Plan

START = datetime(2020, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
COUNT = 20_000  # rows, ten of each unit, one a minute


@pytest.fixture(scope="module")
def rows():
    times = [START + timedelta(minutes=number) for number in range(COUNT)]
    ids = [f"row-{number}" for number in range(COUNT)]
    units = [f"unit-{number % (COUNT // 10)}" for number in range(COUNT)]
    return pl.DataFrame({ID: ids, UNIT: units, TIME: pl.Series(times, dtype=pl.Datetime("us", "UTC"))})


def plan(share, role="challenger"):
    arms = (Arm(1, "a", "champion", 1 - share), Arm(2, "b", role, share))
    return Plan(7, "flights", "canary", arms, {}, "2020-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("kind", "inner", "share", "lasts"),
    [
        ("incident", "20%", 0.2, None),
        ("incident", " 0.2 , 12h", 0.2, 12 * HOUR),
        ("bursts", "1%", 0.01, None),
        ("split", "12%", 0.12, None),
    ],
)
def test_a_fault_of_the_traffic_is_read(kind, inner, share, lasts):
    found = parse_traffic_fault("text", kind, inner, START)
    assert (found.kind, found.share, found.lasts, found.since) == (kind, share, lasts, START)


@pytest.mark.parametrize(
    ("kind", "inner"),
    [
        ("incident", ""),
        ("incident", "120%"),
        ("incident", "5%,soon"),
        ("incident", "5%,1h,2h"),
        ("bursts", "1%,1h"),
    ],
)
def test_one_that_makes_no_sense_is_told_with_the_right_form(kind, inner):
    with pytest.raises(UserMistake, match=rf"makes no sense. Write {kind}\("):
        parse_traffic_fault("text", kind, inner, START)


def test_an_incident_hits_its_share_of_the_rows_while_it_lasts(rows):
    fault = TrafficFault("", "incident", START + HOUR, 0.2, 100 * HOUR)
    lost, inside = lost_rows(rows, [fault]), fault.hits(rows[TIME])
    assert inside.sum() == 100 * 60
    assert lost[inside].mean() == pytest.approx(0.2, abs=0.02)
    assert not lost[~inside].any()
    assert np.array_equal(lost[500:900], lost_rows(rows[500:900], [fault]))


def test_bursts_hit_all_rows_of_some_units(rows):
    hit = rows.with_columns(lost=lost_rows(rows, [TrafficFault("", "bursts", START, 0.1)]))
    by_unit = hit.group_by(UNIT).agg(pl.col("lost").mean())["lost"]
    assert set(by_unit) == {0.0, 1.0}
    assert by_unit.mean() == pytest.approx(0.1, abs=0.02)


def test_faults_add_up_and_none_loses_nothing(rows):
    one, other = TrafficFault("", "incident", START, 0.2), TrafficFault("", "bursts", START, 0.1)
    assert np.array_equal(lost_rows(rows, [one, other]), lost_rows(rows, [one]) | lost_rows(rows, [other]))
    assert not lost_rows(rows, [TrafficFault("", "split", START, 0.5)]).any()


def test_a_wrong_split_gives_the_new_version_another_share_from_its_moment_on(rows):
    middle = START + timedelta(minutes=COUNT // 2)
    arms = route_rows(plan(0.1), rows, [TrafficFault("", "split", middle, 0.3)], lambda condition: None)
    assert (arms[: COUNT // 2] == 1).mean() == pytest.approx(0.1, abs=0.02)
    assert (arms[COUNT // 2 :] == 1).mean() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(("share", "role"), [(0.0, "shadow"), (0.0, "challenger"), (1.0, "challenger")])
def test_where_nothing_is_split_nothing_is_split_wrongly(rows, share, role):
    fault = TrafficFault("", "split", START, 0.3)
    arms = route_rows(plan(share, role), rows, [fault], lambda condition: None)
    assert np.array_equal(arms, route_rows(plan(share, role), rows, [], lambda condition: None))
