"""Room on a machine: never more than there is, in the order of coming, and nothing that the dead keep."""

import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest

from vitok.errors import UserMistake
from vitok.store import slots
from vitok.store.slots import Machine, Room

HOLD = """
import sys, time
from pathlib import Path
from vitok.store.slots import Machine, Room
with Machine(Path(sys.argv[1]), Room(2, 1000)).share(Room(2, 100), "a turn that dies", print):
    print("holds", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "slots", Room(2, 1000))


def nobody(line):
    raise AssertionError(f"nobody should have to wait: {line}")


def test_what_fits_goes_side_by_side_and_leaves_nothing_behind(machine):
    with machine.share(Room(1, 100), "a", nobody), machine.share(Room(1, 900), "b", nobody):
        assert len(list(machine.folder.glob("*.ticket"))) == 2
    assert not list(machine.folder.glob("*.ticket"))


def test_who_came_first_is_served_first_though_a_later_one_would_fit(machine):
    order, waits = [], threading.Semaphore(0)

    def work(name, cores):
        with machine.share(Room(cores, 10), name, lambda line: waits.release()):
            order.append(name)

    threads = []
    with machine.share(Room(1, 10), "first", nobody):
        for name, cores in (("large", 2), ("small", 1)):
            threads.append(threading.Thread(target=work, args=(name, cores)))
            threads[-1].start()
            assert waits.acquire(timeout=20)
        assert order == []
    for thread in threads:
        thread.join(20)
    assert order == ["large", "small"]


def test_room_of_a_process_that_died_is_free_again(machine):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(machine.folder)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"holds\n"
    process.kill()
    process.wait()
    process.stdout.close()
    with machine.share(Room(2, 1000), "next", nobody):
        pass
    assert not list(machine.folder.glob("*.ticket"))


def test_who_waits_for_the_queue_comes_after_whoever_gets_it_first(machine, monkeypatch):
    hold, said, faster = slots.hold, [], ExitStack()

    def hold_later(*words):
        monkeypatch.setattr(slots, "hold", hold)
        faster.enter_context(machine.share(Room(2, 10), "faster", nobody))
        return hold(*words)

    def leave(line):
        said.append(line)
        faster.close()

    monkeypatch.setattr(slots, "hold", hold_later)
    with machine.share(Room(1, 10), "slower", leave):
        assert said == ["Waiting for room: faster came first."]


def test_ticket_that_cannot_be_written_stands_in_nobodys_way(machine, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(slots, "asdict", full)
        with pytest.raises(UserMistake, match="No space left"), machine.share(Room(1, 1), "x", nobody):
            pass
    with machine.share(Room(2, 1000), "next", nobody):
        assert len(list(machine.folder.glob("*.ticket"))) == 1


@pytest.mark.parametrize("need", [Room(3, 10), Room(1, 1001)])
def test_what_can_never_fit_is_told_at_once(machine, need):
    with pytest.raises(UserMistake, match="turns may use 2 and 1000 MB"), machine.share(need, "x", nobody):
        pass


def test_folder_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    machine = Machine(tmp_path / "file", Room(1, 1))
    with pytest.raises(UserMistake, match="VITOK_SLOTS"), machine.share(Room(1, 1), "x", nobody):
        pass
