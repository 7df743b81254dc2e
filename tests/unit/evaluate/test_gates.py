import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.charter.expressions import parse_expression
from vitok.evaluate.gates import Evidence, judge, pool_groups
from vitok.stats.estimates import Estimate
from vitok.stats.scores import Scored

RNG = np.random.default_rng(5)
TRUTH = RNG.integers(0, 2, 1000)
GROUPS = np.array(["big"] * 900 + ["tiny"] * 60 + ["rare"] * 40)


def scored(noise, seed=0, truth=TRUTH):
    values = truth + np.random.default_rng(seed).normal(0, noise, len(truth))
    scores = 1 / (1 + np.exp(-(values - 0.5)))
    return Scored("binary", truth, scores, (scores >= 0.5).astype(int))


def decide(text, **changes):
    facts = {
        "candidate": scored(0.5),
        "baselines": {"prior": Scored("binary", TRUTH, np.full(1000, 0.5), np.zeros(1000, dtype=int))},
        "champion": None,
        "champion_version": None,
        "slices": {"group": GROUPS},
        "service": {"latency_p99_ms": Estimate(2.0, 1.5, 2.5, 1000, "order statistics")},
        "seed": 0,
    }
    (gate,) = judge([parse_expression(text)], Evidence(**{**facts, **changes}))
    return gate


def test_gate_is_decided_on_the_edge_of_the_interval():
    gate = decide("roc_auc >= 0.8")
    assert gate.passed
    assert decide(f"roc_auc >= {gate.low - 0.001:.4f}").passed
    unsure = decide(f"roc_auc >= {gate.value - 0.0001:.4f}")
    assert not unsure.passed
    assert "more rows could decide" in unsure.reason
    assert "misses" in decide("roc_auc >= 0.99").reason


@pytest.mark.parametrize(
    ("text", "changes", "says"),
    [
        ("roc_auc > baseline", {"baselines": {}}, "no baseline"),
        ("roc_auc >= champion", {"champion_version": 3}, "version 3"),
        ("slice(colour).roc_auc > 0.5", {}, "no column 'colour'"),
        ('slice(group="none").roc_auc > 0.5', {}, "cannot be decided"),
        ("size_mb < 3", {}, "not measured"),
        ("latency_p99_ms < champion", {}, "numbers only"),
        ("profit_per_1000 > 0", {}, "cannot be decided"),
        ("roc_auc > 0.5", {"candidate": scored(0.5, truth=np.ones(1000, dtype=int))}, "cannot be decided"),
        ("roc_auc > 0.5", {"candidate": scored(0.5).take(np.arange(0))}, "cannot be decided"),
    ],
)
def test_gate_that_cannot_be_decided_fails(text, changes, says):
    gate = decide(text, **changes)
    assert not gate.passed
    assert says in gate.reason


def test_slice_of_one_class_fails_closed():
    truth = TRUTH.copy()
    truth[GROUPS != "big"] = 1
    gate = decide("slice(group).roc_auc > 0.5", candidate=scored(0.5, truth=truth))
    assert gate.passed == (len(pool_groups(GROUPS)) == 1)
    one = decide('slice(group="rare").roc_auc > 0.5', candidate=scored(0.5, truth=truth))
    assert not one.passed


def test_first_version_has_no_champion_to_beat():
    assert decide("roc_auc >= champion - 0.02").passed


def test_paired_comparison_has_the_sign_of_the_lead():
    better, worse = scored(0.4, 1), scored(0.9, 2)
    assert decide("roc_auc > champion", candidate=better, champion=worse, champion_version=1).passed
    assert not decide("roc_auc > champion", candidate=worse, champion=better, champion_version=1).passed
    assert decide("log_loss < champion", candidate=better, champion=worse, champion_version=1).passed
    assert not decide("log_loss < champion", candidate=worse, champion=better, champion_version=1).passed
    assert not decide(
        "roc_auc >= champion - 0.02", candidate=worse, champion=better, champion_version=1
    ).passed


def test_tie_is_no_lead_even_if_the_last_digits_say_so():
    same = scored(0.5)
    rounded = Scored("binary", TRUTH, same.scores + 1e-9 * (TRUTH - 0.5), same.decisions)
    for text in ("log_loss < champion", "brier < champion", "roc_auc > champion"):
        gate = decide(text, candidate=rounded, champion=same, champion_version=1)
        assert not gate.passed, gate
    assert decide("roc_auc >= champion - 0.002", candidate=same, champion=same, champion_version=1).passed


def test_strongest_baseline_counts():
    baselines = {"prior": scored(5.0, 1), "rule": scored(0.5, 0)}
    gate = decide("roc_auc > baseline", baselines=baselines)
    assert not gate.passed
    assert "rule" in gate.reason


def test_worst_group_speaks_for_the_slice():
    candidate = scored(0.3)
    flipped = np.where(GROUPS == "big", candidate.scores, 1 - candidate.scores)
    gate = decide("slice(group).roc_auc >= 0.6", candidate=Scored("binary", TRUTH, flipped, None))
    assert not gate.passed
    assert "group=" in gate.reason


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=600))
def test_pooled_groups_hold_each_row_once(values):
    groups = pool_groups(np.array(values))
    assert (sum(mask.astype(int) for mask in groups.values()) == 1).all()
    assert all(mask.sum() >= 100 for mask in groups.values()) or len(groups) == 1
