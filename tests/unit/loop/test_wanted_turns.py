"""Turns that people asked the server for: started by the keeper once, by the person's right at that moment."""

from types import SimpleNamespace

import pytest

from rollouts import START, two_versions
from vitok.errors import Busy
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.loop import tick
from vitok.loop.deciding import list_decisions
from vitok.loop.wanting import want_turn
from vitok.monitor.triggers import Decision
from vitok.registry import turns, wanted

TEAM = "team: {ada: [data_scientist], bob: [data_annotator]}\n"


@pytest.fixture
def project(tmp_path):
    return two_versions(tmp_path, VirtualClock(START), more=TEAM)


def want(project, who="ada", key=None):
    return want_turn(project, who, reason="new rows", key=key)


def pending(project):
    with project.engine.begin() as connection:
        return wanted.oldest(connection)


def begin(project, trigger, actor):
    with project.engine.begin() as connection:
        now = project.clock()
        about = {"now": now, "as_of": now, "trigger": trigger, "charter": "", "actor": actor}
        turns.begin(connection, "t1", **about, quick=True, pins={})


def test_the_keeper_starts_what_is_asked_for_once_and_releases_nothing(project, monkeypatch):
    ran = []

    def run(given, *, quick, trigger, actor):
        ran.append((trigger, actor))
        return SimpleNamespace(turn="t1", accepted=True, version=SimpleNamespace(number=2))

    monkeypatch.setattr(tick, "run_turn", run)
    want(project)
    end = tick._start_wanted(project)
    assert ran == [("by API, 1: new rows", "ada")]
    assert (end.event, end.version) == ("accepted", 2)
    assert tick._start_wanted(project) is None
    assert want(project)["wanted"] == 2


def test_a_crash_after_the_start_does_not_start_it_again(project):
    want(project)
    begin(project, pending(project).trigger, "ada")
    assert pending(project) is None
    assert want(project, key="again")["turn"] is None


def test_while_another_turn_runs_it_waits(project, monkeypatch):
    def busy(*given, **how):
        raise Busy("vitok run", "process 1 is at it", "Wait.")

    monkeypatch.setattr(tick, "run_turn", busy)
    want(project)
    assert tick._start_wanted(project) is None
    assert pending(project) is not None


class Hand:
    """Takes turns beside the keeper, as far as the keeper can see."""

    def __init__(self, *, at_work=False, has_process=False):
        self.at_work, self.has_process, self.started = at_work, has_process, []

    def is_at_work(self, project):
        return self.at_work or self.has_process

    def start(self, project, decision=None):
        self.started.append(decision)


def look(project, hand, due=None):
    if due is not None:
        due.setattr(tick, "decide", lambda *given: Decision(True, "drift", ("drift",)))
    return tick.tick(project, MemoryLedger(), [], beside=hand)


def test_a_look_leaves_turns_to_the_hand_beside_it(project, monkeypatch):
    monkeypatch.setattr(tick, "run_turn", lambda *given, **how: pytest.fail("the look waits for a turn"))
    hand = Hand()
    look(project, hand)
    assert hand.started == []
    want(project)
    look(project, hand)
    assert hand.started == [None]
    look(project, Hand(has_process=True), monkeypatch)
    assert list_decisions(project)["decisions"] == []


def test_a_turn_that_was_cut_off_is_left_to_it_too(project):
    with project.engine.begin() as connection:
        now = project.clock()
        about = {"now": now, "as_of": now, "trigger": "drift", "charter": "", "actor": "vitok"}
        turns.begin(connection, "t1", **about, pins={"vitok": "0"})
    hand = Hand()
    look(project, hand)
    assert hand.started == [None]
    elsewhere = Hand(at_work=True)
    look(project, elsewhere)
    assert elsewhere.started == []


@pytest.mark.parametrize("is_free", [True, False])
def test_a_decision_is_on_record_before_it_is_left_to_it(project, monkeypatch, is_free):
    hand = Hand(at_work=not is_free)
    seen = look(project, hand, monkeypatch)
    (noted,) = list_decisions(project)["decisions"]
    assert seen.decision.start == noted["started"] == is_free
    assert len(hand.started) == is_free
    assert ("another turn is running" in noted["reason"]) != is_free


def test_who_may_not_train_any_more_gets_none(project):
    want(project, "bob")
    end = tick._start_wanted(project)
    assert end.event == "failed"
    assert "may not start turns" in end.message
    assert pending(project) is None
