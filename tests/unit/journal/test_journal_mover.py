import os
from datetime import timedelta
from pathlib import Path

import pytest
from journal_records import NOW, at, outcome, prediction

from vitok.errors import DataMistake
from vitok.journal import mover
from vitok.journal import spool as spool_module
from vitok.journal.index import Index, Lookup
from vitok.journal.ledger import Ledger
from vitok.journal.mover import move
from vitok.journal.segments import spools
from vitok.journal.spool import Spool
from vitok.store.lake import Lake
from vitok.store.locks import take


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "journal"


def ids(lake):
    return sorted(lake.read("predictions")["id"]) if lake.exists("predictions") else []


def test_records_of_living_and_dead_workers_are_moved_once(folder, lake):
    living, dead = Spool(folder, "living"), Spool(folder, "dead")
    living.append([prediction("a"), outcome("a", True, 3)])
    dead.append([prediction("b", 1)])
    dead.close()
    moved = move(folder, lake, at(10))
    assert (moved.predictions, moved.outcomes, moved.removed) == (2, 1, ("dead",))
    assert moved.lag_seconds == 600
    assert move(folder, lake, at(10)).predictions == 0
    living.append([prediction("c")])
    move(folder, lake, NOW)
    assert ids(lake) == ["a", "b", "c"]
    assert list(spools(folder)) == ["living"]
    living.close()


def test_nothing_to_move_makes_no_table(folder, lake):
    assert move(folder, lake, NOW) == mover.Moved()
    assert not lake.exists("predictions")


STEPS = [
    (Lake, "append_all", 0),
    (Lake, "append_all", 1),
    (Index, "add", 0),
    (mover, "drop_through", 0),
    (mover, "drop_through", 1),
    (mover, "remove_if_dead", 0),
]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("owner", "name", "call"), STEPS)
def test_mover_killed_at_any_step_loses_nothing_and_doubles_nothing(
    folder, lake, monkeypatch, owner, name, call, after
):
    alive, dead = Spool(folder, "alive"), Spool(folder, "dead")
    alive.append([prediction("a"), outcome("a", True), prediction("b")])
    dead.append([outcome("b", False), prediction("c"), outcome("z", True)])
    dead.close()
    real, calls = getattr(owner, name), []

    def dies(*arguments, **named):
        calls.append(1)
        if len(calls) - 1 != call:
            return real(*arguments, **named)
        if after:
            real(*arguments, **named)
        raise Killed

    lookup = Lookup(folder)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dies)
        with pytest.raises(Killed):
            move(folder, lake, NOW)
    assert lookup.find("abcz") == ({"a", "b", "c"}, {"a": True, "b": False, "z": True})
    alive.append([prediction("d")])
    move(folder, lake, NOW)
    move(folder, lake, NOW)
    assert ids(lake) == ["a", "b", "c", "d"]
    assert sorted(lake.read("outcomes")["id"]) == ["a", "b", "z"]
    assert lookup.find("abcz") == ({"a", "b", "c"}, {"a": True, "b": False, "z": True})
    assert alive.read_after(0, 10) == []
    alive.close(), lookup.close()


def test_large_spool_is_moved_in_batches(folder, lake, monkeypatch):
    monkeypatch.setattr(mover, "_BATCH", 7)
    spool = Spool(folder, "w")
    spool.append([prediction(f"{number:02}") for number in range(20)])
    spool.append([outcome(f"{number:02}", True) for number in range(20)])
    moved = move(folder, lake, NOW)
    assert (moved.predictions, moved.outcomes) == (20, 20)
    assert len(set(ids(lake))) == 20
    spool.close()


def test_a_move_ends_in_time_though_more_keeps_arriving(folder, lake, monkeypatch):
    monkeypatch.setattr(mover, "_BATCH", 7)
    spool = Spool(folder, "w")
    spool.append([prediction(f"{number:02}") for number in range(20)])
    assert [move(folder, lake, NOW, within_seconds=0).predictions for _ in range(4)] == [7, 7, 6, 0]
    assert len(set(ids(lake))) == 20
    spool.close()


def test_second_mover_returns_at_once(folder, lake):
    Spool(folder, "w").close()
    handle = take(folder / "mover.lock")
    assert move(folder, lake, NOW).is_busy
    os.close(handle)
    assert not move(folder, lake, NOW).is_busy


def test_damaged_spool_is_reported_and_holds_up_no_other(folder, lake):
    spool = Spool(folder, "good")
    spool.append([prediction("a")])
    Path(folder / "spool-bad.1.log").write_bytes(b"no segment" * 1000)
    moved = move(folder, lake, NOW)
    assert moved.predictions == 1
    assert len(moved.problems) == 1
    assert "spool of worker bad" in moved.problems[0]
    assert "spool-bad.1.log: is damaged at byte 0" in moved.problems[0]
    assert (folder / "spool-bad.1.log").exists()
    spool.close()


def test_nothing_is_dropped_when_the_lake_refuses(folder, lake, monkeypatch):
    spool = Spool(folder, "w")
    spool.append([prediction("a")])

    def refuses(*arguments):
        raise DataMistake("lake", "is full", "Free space.")

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "append_all", refuses)
        with pytest.raises(DataMistake):
            move(folder, lake, NOW)
    assert len(spool.read_after(0, 10)) == 1
    move(folder, lake, NOW + timedelta(days=1))
    assert Ledger(lake).predictions()["id"].to_list() == ["a"]
    spool.close()


def test_what_lies_before_a_damage_is_moved_and_the_damage_told_each_time(folder, lake):
    spool = Spool(folder, "w")
    spool.append([prediction("a")])
    spool.append([prediction("b")])
    spool.close()
    data = bytearray(spool.path.read_bytes())
    data[-9] ^= 1
    spool.path.write_bytes(data)
    first, second = move(folder, lake, NOW), move(folder, lake, NOW)
    assert ids(lake) == ["a"]
    for moved in (first, second):
        assert "spool-w.1.log: is damaged at byte" in moved.problems[0]
        assert moved.removed == ()


def test_segments_of_a_living_worker_go_as_they_are_moved(folder, lake, monkeypatch):
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 2000)
    monkeypatch.setattr(mover, "_BATCH", 13)
    spool, lookup = Spool(folder, "w"), Lookup(folder)
    for turn in range(3):
        for number in range(20):
            spool.append([prediction(f"{turn}-{number:02}"), outcome(f"{turn}-{number:02}", True)])
        assert len(lookup.find([f"{turn}-{number:02}" for number in range(20)])[0]) == 20
        move(folder, lake, NOW)
        assert len(spools(folder)["w"]) == 1
        assert sum(path.stat().st_size for path in folder.glob("*.log")) <= 2000
    wanted = [f"{turn}-{number:02}" for turn in range(3) for number in range(20)]
    assert ids(lake) == wanted
    predicted, known = lookup.find(wanted)
    assert (len(predicted), len(known)) == (60, 60)
    assert sorted(lake.read("outcomes")["id"]) == wanted
    spool.close(), lookup.close()


def test_lost_marks_double_nothing(folder, lake):
    spool = Spool(folder, "w")
    spool.append([prediction("a"), outcome("a", True)])
    move(folder, lake, NOW)
    (folder / "spool-w.moved").unlink()
    spool.append([prediction("b")])
    assert move(folder, lake, NOW).predictions == 1
    assert ids(lake) == ["a", "b"]
    assert lake.read("outcomes").height == 1
    spool.close()
