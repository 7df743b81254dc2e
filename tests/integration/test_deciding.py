"""Why turns start by themselves: real looks at a project whose files change, with every decision on record."""

import os
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer

from commands import edit, run_vitok
from vitok.errors import Fault
from vitok.journal.ledger import Ledger
from vitok.kernel.clock import VirtualClock, system_clock
from vitok.loop.deciding import list_decisions
from vitok.loop.tick import tick
from vitok.loop.turn import LOCK
from vitok.loop.turns import resume_cut_off
from vitok.loop.watch import Watched
from vitok.monitor.alerts import BROKEN_INPUTS, Alert
from vitok.registry import handlings, steps, turns, windows
from vitok.store.locks import hold
from vitok.wire import open_project


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deciding")
    raw = load_breast_cancer()
    frame = pl.DataFrame(raw.data[:, :5], schema=[name.replace(" ", "_") for name in raw.feature_names[:5]])
    frame.with_columns(sick=pl.Series(raw.target == 0)).write_csv(folder / "t.csv")
    project = folder / "p"
    assert run_vitok("init", project, "--data", folder / "t.csv", "--target", "sick").code == 0
    assert run_vitok("run", "--quick", "--project", project).code == 0
    assert run_vitok("release", 1, "--project", project).code == 0
    return project


def look(folder, days, **retrain):
    """One look, so many days from now, by triggers of one's own."""
    edit(folder, lambda charter: charter.update(retrain=retrain))
    project = replace(open_project(folder), clock=VirtualClock(system_clock() + timedelta(days=days)))
    return project, tick(project, Ledger(project.lake), project.document.rules.triggers)


def touch(project):
    """Writes the source anew, as far as anybody can tell without reading it."""
    (source,) = project.charter.data.sources.values()
    os.utime(project.folder / source)


def test_turn_starts_when_a_source_was_written_and_not_before(released):
    project, seen = look(released, 1, on=["new_data"])
    assert (seen.event, seen.decision.start) == (None, False)
    assert list_decisions(project)["decisions"] == []
    touch(project)
    project, seen = look(released, 2, on=["new_data"])
    assert seen.decision.start
    assert (seen.event, seen.version) in {("promoted", 2), ("refused", 2)}
    with project.engine.connect() as connection:
        turn = turns.last(connection)
    (decided,) = list_decisions(project)["decisions"]
    assert decided["started"]
    assert decided["triggers"] == ["new_data"]
    assert decided["turn"] == turn.id
    assert (turn.trigger, turn.actor) == ("new_data", "vitok")
    assert not look(released, 3, on=["new_data"])[1].decision.start


def test_schedule_with_nothing_new_is_held_back_and_told_once(released):
    for days in (30, 31, 32):
        project, seen = look(released, days, on=["schedule(daily)"])
        assert seen.event is None
    decided = list_decisions(project)["decisions"][0]
    assert decided["looks"] == 3
    assert not decided["started"]
    assert "nothing new to learn" in decided["reason"]


def test_other_criteria_start_a_turn_and_other_words_do_not(released):
    edit(released, lambda charter: charter["goal"].update(statement="Find tumours early"))
    assert not look(released, 40, on=["charter"])[1].decision.start
    edit(released, lambda charter: charter["accept"].insert(0, "roc_auc >= 0.6"))
    assert look(released, 41, on=["charter"])[1].decision.start


def test_another_library_starts_a_turn(released, monkeypatch):
    assert not look(released, 50, on=["libraries"])[1].decision.start
    monkeypatch.setattr("vitok.model.environment.installed", lambda package: "99.0")
    assert look(released, 51, on=["libraries"])[1].decision.start


def test_input_that_looks_broken_holds_a_turn_back_until_somebody_says_that_it_is_right(
    released, monkeypatch
):
    now = system_clock()
    alert = Alert("drift", "alarm", now, now, now, ("mean_radius",), "It moved.", "Look.", BROKEN_INPUTS)
    project = open_project(released)
    with project.engine.begin() as connection:
        windows.save_alert(connection, "a" * 20, alert)
    monkeypatch.setattr("vitok.loop.tick.watch", lambda *_: Watched([], {}, {}, {"a" * 20: alert}))
    touch(project)
    project, seen = look(released, 60, on=["new_data"])
    assert not seen.decision.start
    assert "mean_radius looks broken" in list_decisions(project)["decisions"][0]["reason"]
    assert look(released, 61, on=["new_data"], poisoned="train")[1].decision.start
    touch(project)
    assert not look(released, 62, on=["new_data"])[1].decision.start
    with project.engine.begin() as connection:
        handlings.change(connection, "a" * 20, acknowledged=now, acknowledged_by="ada")
    assert look(released, 63, on=["new_data"])[1].decision.start


def test_turn_that_is_due_while_another_runs_is_held_back_and_has_not_failed(released):
    project = open_project(released)
    touch(project)
    with project.engine.connect() as connection:
        before = turns.last(connection).number
    with hold(project.state / LOCK, "a turn by hand"):
        project, seen = look(released, 70, on=["new_data"])
    assert (seen.event, seen.decision.start) == (None, False)
    decided = list_decisions(project)["decisions"][0]
    assert (decided["started"], decided["turn"]) == (False, None)
    assert "is at it in this project" in decided["reason"]
    with project.engine.connect() as connection:
        assert turns.last(connection).number == before


def test_turn_that_ends_its_process_again_and_again_is_left_to_people(released):
    project = open_project(released)
    with project.engine.begin() as connection:
        turn = turns.last(connection)
        turns.advance(connection, turn.id, state="running", stage="data")
        steps.change(connection, turn.id, "data", attempts=3, ended=None)
    with pytest.raises(Fault, match="died 3 times in stage data"):
        resume_cut_off(project, actor="vitok")
    with project.engine.connect() as connection:
        assert turns.get(connection, turn.id).state == "failed"
    assert resume_cut_off(project, actor="vitok") is None
