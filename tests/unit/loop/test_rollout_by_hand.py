"""What people do with a roll-out: hold it, let it go on, promote it; never against the evidence."""

import pytest
from test_rollout_faults import Traffic, begun, made

from vitok.errors import Busy, NotFound, Refused, UserMistake
from vitok.loop import rollout_by_hand
from vitok.loop.rollout import end_by_hand
from vitok.loop.rollout_by_hand import pause_rollout, promote_rollout, resume_rollout
from vitok.registry import rollouts

WHO = {"actor": "ada", "reason": "odd day"}


@pytest.fixture
def project(tmp_path):
    return made(tmp_path)


def test_a_paused_roll_out_stays_at_its_share_until_somebody_lets_it_go_on(project):
    traffic = begun(project)
    held = pause_rollout(project, **WHO).as_json()
    assert (held["state"], held["share"], held["version"]) == ("paused", 0.1, 2)
    assert traffic.hours(24, rows=3000) == []
    assert {arm.version: arm.share for arm in traffic.plan().arms} == {1: 0.9, 2: 0.1}
    with pytest.raises(UserMistake, match="is paused already"):
        pause_rollout(project, **WHO)
    assert resume_rollout(project, **WHO).as_json()["state"] == "stepping"
    with pytest.raises(UserMistake, match="not paused, it is stepping"):
        resume_rollout(project, **WHO)
    assert traffic.hours(23, rows=3000) == ["holding", "promoted"]
    told = traffic.evidence()
    assert [step["to"] for step in told["steps"]] == ["stepping", "paused", "stepping", "holding", "promoted"]
    assert told["steps"][1]["reason"] == "held by hand: odd day"
    assert told["steps"][1]["actor"] == "ada"
    assert [step["reproduced"] for step in told["steps"]] == [None, None, None, True, True]


def test_a_bad_version_is_taken_back_although_it_is_paused(project):
    traffic = begun(project)
    pause_rollout(project, **WHO)
    assert traffic.hours(24, rows=3000, fails=(0.01, 0.05)) == ["rolled back"]
    assert traffic.plan().champion.version == 1


def test_a_paused_roll_out_ends_when_its_time_is_over(project):
    traffic = begun(project)
    pause_rollout(project, **WHO)
    assert traffic.hours(60, rows=50) == ["inconclusive"]


def test_promotion_by_hand_waits_for_no_further_share_but_for_the_evidence(project):
    traffic = begun(project, units=100_000)
    with pytest.raises(Refused, match="harm is not excluded: errors: nothing to compare yet"):
        promote_rollout(project, traffic.journal, **WHO)
    pause_rollout(project, **WHO)
    traffic.hours(1, rows=300)
    with pytest.raises(Refused, match="errors not decided"):
        promote_rollout(project, traffic.journal, **WHO)
    traffic.hours(46, rows=6000)
    found = promote_rollout(project, traffic.journal, **WHO).as_json()
    assert (found["state"], found["version"]) == ("promoted", 2)
    assert {arm.version: arm.share for arm in traffic.plan().arms} == {2: 1.0}
    last = traffic.evidence()["steps"][-1]
    assert (last["reason"], last["actor"], last["reproduced"]) == ("promoted by hand: odd day", "ada", True)
    assert {finding["state"] for finding in last["findings"]} == {"kept"}


def test_a_bad_version_is_not_promoted_whatever_the_reason(project):
    traffic = begun(project)
    traffic.hour(rows=20_000, fails=(0.01, 0.1))
    with pytest.raises(Refused, match="harm is not excluded: errors broken"):
        promote_rollout(project, traffic.journal, **WHO)
    assert traffic.plan().champion.version == 1


def test_a_reason_has_to_be_given(project):
    traffic = begun(project)
    for act in (
        pause_rollout,
        resume_rollout,
        lambda *a, **k: promote_rollout(project, traffic.journal, **k),
    ):
        with pytest.raises(UserMistake, match="reason: is empty"):
            act(project, actor="ada", reason=" ")


def test_without_a_roll_out_there_is_nothing_to_hold(project):
    traffic = Traffic(project)
    for act in (pause_rollout, resume_rollout):
        with pytest.raises(NotFound, match="none goes on"):
            act(project, **WHO)
    with pytest.raises(NotFound, match="none goes on"):
        promote_rollout(project, traffic.journal, **WHO)


def test_whoever_comes_second_is_told(project, monkeypatch):
    """Between the look and the act somebody has ended it."""
    begun(project)
    with project.engine.connect() as connection:
        seen = rollouts.current(connection)
    end_by_hand(project, actor="ben", reason="bad")
    monkeypatch.setattr(rollout_by_hand, "_under_way", lambda project, reason: seen)
    with pytest.raises(Busy, match="has moved on at this moment"):
        pause_rollout(project, **WHO)
