import numpy as np
import pytest

from vitok.charter.expressions import Ask, parse_expression
from vitok.evaluate.gates import Answer, Evidence, Gate, judge, judge_answer, verdict_of
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
    assert not gate.passed
    assert "small groups" in gate.reason
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


SIDES = np.array(["left", "right"] * 500)


def lopsided(wrong):
    """Right on the left side, wrong on a share of the right one."""
    truth = np.tile([1, 1, 0, 0], 250)
    flip = (SIDES == "right") & (np.random.default_rng(1).random(1000) < wrong)
    decisions = np.where(flip, 1 - truth, truth)
    return Scored("binary", truth, decisions.astype(float), decisions)


@pytest.mark.parametrize(
    ("text", "wrong", "passes"),
    [
        ("gap(side).accuracy <= 0.2", 0.05, True),
        ("gap(side).accuracy <= 0.2", 0.4, False),
        ("gap(side).accuracy <= 0.2", 0.19, False),  # the figure may reach it, its interval does not
        ("worst_slice(side).accuracy >= 0.7", 0.1, True),
        ("worst_slice(side).accuracy >= 0.7", 0.5, False),
        ("worst_slice.accuracy >= 0.7", 0.5, False),
        ("slice(side=right).accuracy >= slice(side=left).accuracy - 0.2", 0.05, True),
        ("slice(side=right).accuracy >= slice(side=left).accuracy - 0.2", 0.4, False),
        ("slice(side=right).accuracy >= 0.7 * slice(side=left)", 0.1, True),
        ("slice(side).accuracy >= slice(side=left).accuracy - 0.2", 0.4, False),
        ("slice(side).accuracy >= slice(side=left).accuracy - 0.2", 0.05, True),
    ],
)
def test_groups_are_compared_on_intervals(text, wrong, passes):
    gate = decide(text, candidate=lopsided(wrong), slices={"side": SIDES}, watched=["side"])
    assert gate.passed is passes, gate
    assert "side=right" in gate.reason or "left" in gate.reason


def test_groups_that_cannot_be_compared_fail():
    one = np.full(1000, "only")
    assert "one group" in decide("gap(side).accuracy <= 0.2", slices={"side": one}).reason
    assert not decide("worst_slice.accuracy >= 0.1", slices={"side": SIDES}).passed
    assert not decide("slice(side=left).accuracy >= slice(other=x).accuracy", slices={"side": SIDES}).passed


def test_window_looks_at_the_newest_rows_only():
    ages = np.where(SIDES == "right", 3 * 86400.0, 0.0)
    bad_then = decide("accuracy >= 0.9 for window(1d)", candidate=lopsided(1.0), ages=ages)
    assert bad_then.passed
    assert "500 rows" in bad_then.reason
    assert not decide("accuracy >= 0.9 for window(7d)", candidate=lopsided(1.0), ages=ages).passed
    assert "no time" in decide("accuracy >= 0.1 for window(7d)", candidate=lopsided(0.0)).reason


def test_question_waits_and_its_answer_decides():
    asks, passed = Ask("domain_expert", "Plausible?"), Gate("a", 1, 1, 1, 0, True, "")
    waiting = judge_answer(asks, None)
    assert waiting.waits_for == "domain_expert"
    assert verdict_of([passed, waiting]) == "waiting"
    assert verdict_of([Gate("a", 1, 1, 1, 2, False, ""), waiting]) == "refused"
    yes = judge_answer(asks, Answer(True, "ada", "fits what we see"))
    assert yes.reason == "ada (domain expert) said yes: fits what we see"
    assert verdict_of([passed, yes]) == "accepted"
    assert verdict_of([passed, judge_answer(asks, Answer(False, "ada", "no"))]) == "refused"


def test_tie_with_one_baseline_fails_whatever_the_others_are():
    candidate = scored(0.5)
    tied = {
        "twin": candidate,
        "prior": Scored("binary", TRUTH, np.full(1000, 0.5), np.zeros(1000, dtype=int)),
    }
    gate = decide("roc_auc > baseline", candidate=candidate, baselines=tied)
    assert not gate.passed
    assert "the same as that of baseline twin" in gate.reason
