"""Turns that people asked the server for: started by the keeper once, by the person's right at that moment."""

from types import SimpleNamespace

import pytest

from rollouts import START, two_versions
from vitok.errors import Busy
from vitok.kernel.clock import VirtualClock
from vitok.loop import tick
from vitok.loop.wanting import want_turn
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


def test_who_may_not_train_any_more_gets_none(project):
    want(project, "bob")
    end = tick._start_wanted(project)
    assert end.event == "failed"
    assert "may not start turns" in end.message
    assert pending(project) is None
