"""Room on a machine: never more than there is, in the order of coming, and nothing that the dead keep."""

import subprocess
import sys
import threading

import pytest

from vitok.errors import UserMistake
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


@pytest.mark.parametrize("need", [Room(3, 10), Room(1, 1001)])
def test_what_can_never_fit_is_told_at_once(machine, need):
    with pytest.raises(UserMistake, match="turns may use 2 and 1000 MB"), machine.share(need, "x", nobody):
        pass


def test_folder_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    machine = Machine(tmp_path / "file", Room(1, 1))
    with pytest.raises(UserMistake, match="VITOK_SLOTS"), machine.share(Room(1, 1), "x", nobody):
        pass
