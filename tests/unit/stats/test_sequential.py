"""Evidence on the ratio of failure rates: exact expectations, one definition for one unit and many, known figures."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.stats.sequential import ErrorShare, band, ratio_interval

TESTS = {
    "at most 1": ErrorShare.against_at_most(),
    "at most 1.5": ErrorShare.against_at_most(1.5),
    "at least 1.5": ErrorShare.against_at_least(1.5),
    "at least 0.9": ErrorShare.against_at_least(0.9),
}
shares = st.floats(0.01, 0.99)
streams = st.lists(st.tuples(st.booleans(), shares), min_size=1, max_size=40)


def seen(test, stream):
    arms, share = zip(*stream, strict=True)
    return test.update_many(np.array(arms), np.array(share))


def expected_e(test, share, ratio):
    """Expectation of E after one more failing unit, by adding up both outcomes."""
    theta = ratio * share / (ratio * share + 1 - share)
    arms = ((True, theta), (False, 1 - theta))
    return sum(chance * math.exp(test.update(arm, share).log_e) for arm, chance in arms)


@given(st.sampled_from(sorted(TESTS)), streams, shares)
def test_expectation_at_the_boundary_is_the_evidence_of_before(name, stream, share):
    test = seen(TESTS[name], stream)
    assert expected_e(test, share, test.tolerated) == pytest.approx(math.exp(test.log_e), rel=1e-9)


@given(st.sampled_from(sorted(TESTS)), streams, shares, st.floats(0.05, 1.0))
def test_expectation_within_the_hypothesis_is_no_more(name, stream, share, depth):
    test = seen(TESTS[name], stream)
    ratio = test.tolerated * depth if "most" in name else test.tolerated / depth
    assert expected_e(test, share, ratio) <= math.exp(test.log_e) * (1 + 1e-9)


@given(st.sampled_from(sorted(TESTS)), streams, st.integers(0, 40))
def test_units_one_by_one_give_what_batches_give(name, stream, cut):
    one = TESTS[name]
    path = []
    for arm, share in stream:
        one = one.update(arm, share)
        path.append(one.log_e)
    many = TESTS[name]
    for part in (stream[:cut], stream[cut:]):
        many = seen(many, part) if part else many
    assert many.logs == pytest.approx(one.logs, abs=1e-9)
    assert many.highest == pytest.approx(one.highest, abs=1e-9)
    assert (many.units, many.challengers) == (len(stream), sum(arm for arm, _ in stream))
    arms, share = zip(*stream, strict=True)
    assert TESTS[name].path(np.array(arms), np.array(share)).tolist() == pytest.approx(path, abs=1e-9)


@given(streams)
def test_state_survives_json(stream):
    test = seen(TESTS["at most 1.5"], stream)
    again = ErrorShare.from_json(json.loads(json.dumps(test.as_json())))
    assert again == test
    assert again.update(True, 0.2) == test.update(True, 0.2)


@given(streams, shares)
def test_failures_of_the_challenger_are_evidence_against_it_only(stream, share):
    worse, fine = seen(TESTS["at most 1"], stream), seen(TESTS["at least 1.5"], stream)
    assert worse.update(True, share).log_e > worse.log_e > worse.update(False, share).log_e
    assert fine.update(True, share).log_e < fine.log_e < fine.update(False, share).log_e


@given(st.lists(st.booleans(), min_size=1, max_size=30), shares)
def test_margin_makes_a_rollback_harder(arms, share):
    stream = [(arm, share) for arm in arms]
    assert seen(TESTS["at most 1"], [*stream, (True, share)]).log_e > -math.log(6) - 30
    strict, mild = (seen(ErrorShare.against_at_most(r, (2.0,)), [(True, share)]) for r in (1.0, 1.5))
    assert mild.log_e < strict.log_e


def test_crossing_is_not_taken_back():
    test = ErrorShare.against_at_most().update_many(np.ones(20, dtype=bool), 0.5)
    assert test.crossed(0.05)
    later = test.update_many(np.zeros(200, dtype=bool), 0.5)
    assert later.log_e < 0
    assert later.crossed(0.05)


def test_no_units_and_an_arm_that_has_all_traffic_change_nothing():
    test = ErrorShare.against_at_most()
    assert test.update_many(np.array([], dtype=bool), 0.5) == test
    assert test.log_e == pytest.approx(0.0)
    assert test.update(False, 0.0).log_e == test.update(True, 1.0).log_e == pytest.approx(0.0)
    assert not test.crossed(0.05)


@pytest.mark.parametrize(("arm", "share"), [(True, 0.0), (False, 1.0), (True, 1.2), (False, math.nan)])
def test_unit_in_an_arm_without_traffic_is_refused(arm, share):
    with pytest.raises(ValueError, match="share of its own time"):
        ErrorShare.against_at_most().update(arm, share)


def test_evidence_is_that_of_the_formula():
    test = ErrorShare.against_at_most().update(True, 0.1).update(False, 0.25)
    total = 0.0
    for ratio in (1.25, 1.5, 2, 3, 5, 10):
        first, second = (ratio * rho / (ratio * rho + 1 - rho) for rho in (0.1, 0.25))
        total += first / 0.1 * (1 - second) / 0.75 / 6
    assert math.exp(test.log_e) == pytest.approx(total)


def runs(seed, ratio, share, units, repetitions):
    """Arms of failing units in many runs at once, with their highest log E."""
    rng = np.random.default_rng(seed)
    share = np.broadcast_to(share, units)
    arms = rng.random((repetitions, units)) < ratio * share / (ratio * share + 1 - share)
    return np.maximum.accumulate(ErrorShare.against_at_most().path(arms, share), axis=1)


def test_false_alarms_stay_below_alpha_while_the_share_ramps_up():
    share = np.repeat([0.05, 0.25, 0.5], [60, 120, 220])
    found = (runs(1, 1.0, share, 400, 2000)[:, -1] >= math.log(20)).mean()
    assert found == pytest.approx(0.03, abs=0.015)


def test_twice_the_failures_are_found_after_some_4200_requests():
    is_over = runs(2, 2.0, 0.5, 600, 1000) >= math.log(20)
    assert is_over[:, -1].mean() > 0.995
    assert is_over.argmax(axis=1).mean() / 0.015 == pytest.approx(4200, abs=400)


@given(st.floats(1, 1e6), st.floats(1e-6, 0.5))
def test_band_narrows_with_rows_and_widens_with_confidence(rows, alpha):
    assert band(rows * 2, alpha) <= band(rows, alpha)
    assert band(rows, alpha / 2) >= band(rows, alpha)


def test_band_before_its_start_is_everything():
    assert band([0, 50, 99, 100], 0.05, 100).tolist()[:3] == [1.0, 1.0, 1.0]
    assert band(100, 0.05, 100) < 0.25


def test_interval_of_the_ratio_finds_the_truth_and_holds_at_all_times():
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(60):
        theta = 2 * 0.25 / (2 * 0.25 + 0.75)
        hits = np.cumsum(rng.random(300) < theta)
        ends = [ratio_interval(hits[n - 1], n, 0.25, 0.1) for n in range(5, 300, 15)]
        missed += any(not low <= 2 <= high for low, high in ends)
    assert missed <= 12
    low, high = ratio_interval([436, 4000], [2400, 6000], [0.1, 0.5])
    assert 1.8 < low < 2 < high < 2.25


def test_interval_of_the_ratio_without_failures_is_open():
    assert ratio_interval([0], [0], [0.1]) == (0.0, math.inf)
    assert ratio_interval([0], [20], [0.5])[0] == 0.0
