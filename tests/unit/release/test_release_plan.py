import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.errors import Fault
from vitok.release.plan import Arm, Plan
from vitok.release.risk import risk_class
from vitok.release.route import position, route, route_many

units = st.text(min_size=0, max_size=30)
shares = st.floats(min_value=0, max_value=1)


def plan(share=0.0, *arms):
    found = arms or (Arm(1, "a" * 64, "champion", 1 - share), Arm(2, "b" * 64, "challenger", share))
    return Plan(3, "flights", "canary", found, {"a" * 64: "accepted"}, "2026-01-01T00:00:00Z")


@given(units, shares)
def test_unit_always_gets_the_same_version(unit, share):
    assert route(plan(share), unit) == route(plan(share), unit)


@given(units, shares, shares)
def test_raising_a_share_moves_units_only_to_the_challenger(unit, one, other):
    low, high = sorted([one, other])
    if route(plan(low), unit).role == "challenger":
        assert route(plan(high), unit).role == "challenger"


@given(st.lists(units, max_size=30), shares, shares)
def test_many_at_once_are_routed_as_one_by_one(found, one, other):
    arms = [
        Arm(9, "s" * 64, "shadow", 0.0),
        Arm(1, "a" * 64, "champion", 1 - (one + other) / 2),
        Arm(2, "b" * 64, "challenger", one / 2),
        Arm(3, "c" * 64, "challenger", other / 2),
    ]
    made = plan(0, *arms)
    assert [made.arms[place] for place in route_many(made, found)] == [route(made, unit) for unit in found]


def test_shares_come_out_near_what_was_asked():
    made = plan(0.05)
    chosen = route_many(made, [f"unit-{number}" for number in range(200_000)])
    assert np.mean(chosen == 1) == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / 200_000) ** 0.5)


def test_places_are_uniform_and_differ_between_projects():
    places = np.sort([position("flights", str(number)) for number in range(100_000)])
    assert np.abs(places - np.linspace(0, 1, 100_000)).max() < 1.63 / 100_000**0.5  # Kolmogorov, 1 %
    assert position("flights", "N1") != position("fares", "N1")


def test_whole_share_goes_to_one_arm():
    assert {route(plan(1.0), str(number)).version for number in range(100)} == {2}
    assert {route(plan(0.0), str(number)).version for number in range(100)} == {1}


def test_plan_survives_json():
    made = plan(0.25)
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
    assert risk_class(None, old) == "high"
    assert risk_class(old, old | {"algorithm": "lightgbm"}) == "high"
    assert risk_class(old, old | {"parameters": {"C": 2}}) == "medium"
    assert risk_class(old, old | {"inputs": [{"name": "y", "example": 1}]}) == "medium"
    assert risk_class(old, old | {"files": {"features.py": "abc"}}) == "medium"
    assert risk_class(old, old | {"inputs": [{"name": "x", "example": 2}], "created": "later"}) == "low"
