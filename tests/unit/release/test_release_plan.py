from functools import partial

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.charter.predicates import AllOf, Compare, IsIn, IsNull, Not, compile_condition
from vitok.errors import Fault
from vitok.release.decide_frame import rows_that_fit
from vitok.release.plan import Arm, Plan
from vitok.release.risk import risk_class
from vitok.release.route import position, route, route_many

units = st.text(min_size=0, max_size=30)
shares = st.floats(min_value=0, max_value=1)


def plan(share=0.0, *arms):
    found = arms or (Arm(1, "a" * 64, "champion", 1 - share), Arm(2, "b" * 64, "challenger", share))
    return Plan(3, "flights", "canary", found, {"a" * 64: "accepted"}, "2026-01-01T00:00:00Z")


def nobody(condition):
    raise AssertionError(f"{condition} was tested, but no arm has one")


def everybody(condition):
    return True


@given(units, shares)
def test_unit_always_gets_the_same_version(unit, share):
    assert route(plan(share), unit, nobody) == route(plan(share), unit, nobody)


@given(units, shares, shares, st.sampled_from(["", "flights/7"]))
def test_raising_a_share_moves_units_only_to_the_challenger(unit, one, other, salt):
    low, high = sorted([one, other])
    if route(salted(plan(low), salt), unit, nobody).role == "challenger":
        assert route(salted(plan(high), salt), unit, nobody).role == "challenger"


def salted(made, salt):
    return msgspec.structs.replace(made, salt=salt)


FAR, WEST = Compare("distance", ">", 500), IsIn("origin", ("LAX", "SFO"))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "unit": units,
            "distance": st.none() | st.sampled_from([100.0, 500.0, 900.0]),
            "origin": st.none() | st.sampled_from(["LAX", "JFK"]),
        }
    ),
    max_size=30,
)
WHEN = st.sampled_from([None, FAR, WEST, Not(FAR), AllOf((FAR, WEST)), IsNull("distance")])


@given(ROWS, shares, shares, WHEN, WHEN)
def test_many_at_once_are_routed_as_one_by_one(rows, one, other, first, second):
    """By columns, as replay and batch do it, and row by row, as workers do it: the same."""
    arms = [
        Arm(9, "s" * 64, "shadow", 0.0),
        Arm(1, "a" * 64, "champion", 1 - (one + other) / 2),
        Arm(2, "b" * 64, "challenger", one / 2, first),
        Arm(3, "c" * 64, "variant", other / 2, second),
    ]
    made = plan(0, *arms)
    schema = {"unit": pl.String, "distance": pl.Float64, "origin": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    found = [row["unit"] for row in rows]

    def fits(row):
        return lambda condition: compile_condition(condition, lambda name: lambda row: row[name])(row) is True

    places = route_many(made, found, partial(rows_that_fit, frame))
    assert [made.arms[place] for place in places] == [route(made, row["unit"], fits(row)) for row in rows]


def test_rows_outside_of_the_segment_stay_with_the_champion():
    made = plan(0, Arm(1, "a", "champion", 0.0), Arm(2, "b", "challenger", 1.0, FAR))
    assert route(made, "N1", everybody).version == 2
    assert route(made, "N1", lambda condition: False).version == 1


def test_a_million_units_are_split_as_asked_and_new_ones_with_each_salt():
    found = [f"unit-{number}" for number in range(1_000_000)]
    made = plan(0.05)
    first = route_many(made, found, nobody) == 1
    second = route_many(salted(made, "flights/2"), found, nobody) == 1
    for chosen in (first, second):
        assert abs(chosen.mean() - 0.05) < 4 * (0.05 * 0.95 / 1_000_000) ** 0.5
    both = np.mean(first & second)  # who tried one roll-out is no likelier to try the next
    assert abs(both - 0.0025) < 4 * (0.0025 / 1_000_000) ** 0.5


def test_places_are_uniform_and_differ_between_salts():
    places = np.sort([position("flights", str(number)) for number in range(100_000)])
    assert np.abs(places - np.linspace(0, 1, 100_000)).max() < 1.63 / 100_000**0.5  # Kolmogorov, 1 %
    assert position("flights", "N1") != position("fares", "N1")


def test_whole_share_goes_to_one_arm():
    assert {route(plan(1.0), str(number), nobody).version for number in range(100)} == {2}
    assert {route(plan(0.0), str(number), nobody).version for number in range(100)} == {1}


@pytest.mark.parametrize("role", ["champion", "shadow"])
def test_only_challengers_are_limited_to_rows(role):
    others = [Arm(2, "b", "champion", 1.0)] if role == "shadow" else []
    with pytest.raises(Fault, match="limits the champion or a shadow"):
        plan(0, Arm(1, "a", role, 0.0 if others else 1.0, FAR), *others)


def test_plan_of_a_newer_vitok_is_not_served():
    text = plan(0.25).to_json().replace(b'"format":3', b'"format":4,"roles":["judge"]')
    with pytest.raises(Fault, match="has format 4, this Vitok reads up to 3"):
        Plan.from_json(text)


def test_plan_survives_json():
    arms = Arm(1, "a", "champion", 0.75), Arm(2, "b", "challenger", 0.25, AllOf((FAR, WEST)))
    made = plan(0, *arms)
    assert Plan.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ([("champion", 0.5), ("challenger", 0.4)], "sum to 0.9"),
        ([("challenger", 1.0)], "0 champions"),
        ([("champion", 0.5), ("champion", 0.5)], "2 champions"),
        ([("champion", 1.0), ("shadow", 0.1)], "gives a shadow a share"),
        ([("champion", 1.5), ("challenger", -0.5)], "outside of 0 to 1"),
    ],
)
def test_contradicting_arms_are_refused(arms, message):
    with pytest.raises(Fault, match=message):
        plan(0, *[Arm(number, str(number), role, share) for number, (role, share) in enumerate(arms)])


def test_version_in_two_arms_is_refused():
    with pytest.raises(Fault, match="twice"):
        plan(0, Arm(1, "a", "champion", 0.5), Arm(1, "b", "challenger", 0.5))


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff", b'{"epoch": "x"}'])
def test_damaged_plan_is_a_fault(text):
    with pytest.raises(Fault, match="release plan"):
        Plan.from_json(text)


def test_only_an_accepted_verdict_for_this_digest_counts():
    verdicts = {"a": "accepted", "b": "accepted:v7", "c": "refused", "d": "", "e": "acceptedly"}
    made = Plan(1, "p", "immediate", (Arm(1, "a", "champion", 1.0),), verdicts, "")
    assert [made.is_accepted(digest) for digest in "abcdef"] == [True, True, False, False, False, False]


def test_risk_grows_with_what_changes():
    old = {
        "task": "binary",
        "algorithm": "linear",
        "parameters": {"C": 1},
        "inputs": [{"name": "x", "example": 1}],
    }
    assert risk_class(None, old)[0] == "high"
    assert risk_class(old, old | {"algorithm": "lightgbm"})[0] == "high"
    assert risk_class(old, old | {"parameters": {"C": 2}})[0] == "medium"
    assert risk_class(old, old | {"inputs": [{"name": "y", "example": 1}]})[0] == "medium"
    assert risk_class(old, old | {"files": {"features.py": "abc"}})[0] == "medium"
    assert risk_class(old, old | {"inputs": [{"name": "x", "example": 2}], "created": "later"})[0] == "low"
    assert risk_class(old, old, ["gate `f1 >= 0.7` removed"]) == (
        "high",
        ["charter: gate `f1 >= 0.7` removed"],
    )
