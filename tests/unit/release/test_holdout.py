"""Who is held out: the same units by one and by many, under every plan, and no others when the share grows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from vitok.charter.predicates import AllOf
from vitok.release.decide import Decider, Decision
from vitok.release.holdout import HELD_OUT, REASON, held_out, is_held_out
from vitok.release.plan import Arm, Plan
from vitok.release.policy import Answer, Holdout, Policy, Rule
from vitok.release.route import route

NO = Answer(hand_over=False, value=False)
UNITS = [f"N{number}" for number in range(20_000)]
SHARES = st.floats(0.001, 0.5)


@given(SHARES, st.text(max_size=5), st.lists(st.text(max_size=6), max_size=8))
def test_one_unit_is_held_out_as_in_many(share, project, units):
    holdout = Holdout(share, NO, project)
    assert held_out(holdout, units).tolist() == [is_held_out(holdout, unit) for unit in units]


@given(SHARES, SHARES, st.lists(st.text(max_size=6), min_size=1, max_size=8))
def test_a_larger_share_only_adds_units(one, two, units):
    small, large = sorted([one, two])
    fewer, more = (held_out(Holdout(share, NO, "flights"), units) for share in (small, large))
    assert not (fewer & ~more).any()


def test_nobody_is_held_out_unless_the_charter_says_so():
    assert not held_out(None, UNITS).any()
    assert not is_held_out(None, "N1")
    assert held_out(Holdout(0.5, NO, "flights"), []).shape == (0,)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
def test_the_share_is_kept_and_says_nothing_of_the_version_that_a_unit_is_dealt(share):
    arms = (Arm(1, "a" * 64, "champion", 0.7), Arm(2, "b" * 64, "challenger", 0.3))
    plan = Plan(1, "flights", "canary", arms, {}, "2026-01-01T00:00:00Z")
    held = held_out(Holdout(share, NO, "flights"), UNITS)
    assert binomtest(int(held.sum()), len(UNITS), share).pvalue > 0.001
    new = np.array([route(plan, unit, lambda _: True).version == 2 for unit in UNITS])
    assert binomtest(int((held & new).sum()), int(held.sum()), 0.3).pvalue > 0.001


def test_projects_hold_out_different_units():
    one, other = (held_out(Holdout(0.5, NO, project), UNITS) for project in ("flights", "tumours"))
    assert (one & other).mean() == pytest.approx(0.25, abs=0.02)


def test_held_out_units_are_answered_before_any_rule_speaks_and_the_others_by_the_rules():
    everybody = Rule("first aid", AllOf(()), Answer(hand_over=True))
    policy = Policy(before=(everybody,), holdout=Holdout(0.3, NO, "flights"))
    found = Decider(policy, lambda name: lambda row: row.get(name), 0.5, None).decide(
        [{}] * 4, [0.9] * 4, [True] * 4, None, ["N14228", "N24211", "N619AA", "N804JB"]
    )
    assert found == [Decision(False, HELD_OUT, REASON)] * 2 + [Decision(None, "hand_over", "first aid")] * 2
