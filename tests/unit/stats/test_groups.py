import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vitok.stats.estimates import Estimate
from vitok.stats.groups import independent_difference, pairs_apart, pool_groups
from vitok.stats.intervals import wilson


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=600))
def test_pooled_groups_hold_each_row_once(values):
    groups = pool_groups(np.array(values))
    assert (sum(mask.astype(int) for mask in groups.values()) == 1).all()
    assert all(mask.sum() >= 100 for mask in groups.values()) or len(groups) == 1


def test_difference_of_two_groups_covers_as_often_as_it_says():
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(2000):
        drawn = ((rng.binomial(150, 0.9), 150), (rng.binomial(220, 0.75), 220))
        one, two = (Estimate(k / n, *wilson(k, n), n, "Wilson") for k, n in drawn)
        found = independent_difference(one, two)
        missed += not found.low <= 0.15 <= found.high
    assert 0.08 < missed / 2000 < 0.12


def test_widest_pair_leads_with_the_higher_group_first():
    groups = {
        name: Estimate(value, value - 0.1, value + 0.1, 10, "")
        for name, value in zip("abc", (0.5, 0.9, 0.6), strict=True)
    }
    pairs = pairs_apart(groups)
    assert [pair[:2] for pair in pairs] == [("b", "a"), ("b", "c"), ("c", "a")]
    assert pairs[0][2].value == 0.4
