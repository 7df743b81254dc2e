"""Counts of callers, by several real processes at once, killed and started again."""

import os
import signal
import subprocess
import sys
import time

import pytest

from vitok.errors import Fault
from vitok.store import usage
from vitok.store.usage import ASKED, REQUESTS, SIGNS, Usage, label_of, read_usage

# Asks until told to stop, or killed; says how many were granted, and when the first and the last.
ASKER = """
import sys, time
from pathlib import Path
from vitok.store.usage import REQUESTS, Usage

folder, workers, quota, rate, until = Path(sys.argv[1]), *map(float, sys.argv[2:])
usage, granted, times = Usage(folder, int(workers), 77), 0, []
usage.record("shop", 3)
print("ready", flush=True)
sys.stdin.readline()
while time.monotonic() < until:
    record = usage.record("shop", 3)
    if quota and record.total(REQUESTS) >= quota:
        break
    now = time.monotonic()
    if rate and record.draw(rate, now):
        continue
    record.add(REQUESTS)
    granted += 1
    if granted % 1000 == 1 or rate:
        print(granted, now, flush=True)
print(granted, time.monotonic(), flush=True)
"""


def askers(folder, count, quota=0.0, rate=0.0, seconds=20.0):
    """Processes that have their places and ask as fast as they can from the same moment."""
    until = str(time.monotonic() + seconds)
    command = [sys.executable, "-c", ASKER, folder, count, quota, rate, until]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    found = [subprocess.Popen(list(map(str, command)), **pipes) for _ in range(count)]
    for each in found:
        assert each.stdout.readline() == "ready\n"
    for each in found:
        each.stdin.write("go\n")
        each.stdin.flush()
    return found


def granted_by(process):
    out, _ = process.communicate(timeout=60)
    return [(int(count), float(moment)) for count, moment in map(str.split, out.splitlines())]


def test_quota_holds_for_all_processes_but_for_one_request_of_each_other(tmp_path):
    quota, workers = 20_000, 4
    last = [granted_by(each)[-1][0] for each in askers(tmp_path, workers, quota=quota)]
    assert quota <= sum(last) <= quota + workers - 1
    assert all(last)
    assert read_usage(tmp_path, 3)["shop"][REQUESTS] == sum(last)


def test_rate_holds_for_all_processes_but_for_one_request_of_each_other(tmp_path):
    rate, workers = 200.0, 4
    found = [granted_by(each)[:-1] for each in askers(tmp_path, workers, rate=rate, seconds=2.5)]
    moments = sorted(moment for process in found for _, moment in process)
    assert len(moments) > 1.5 * rate
    for begin in range(0, len(moments), 7):
        for end in range(begin, len(moments), 7):
            seconds = moments[end] - moments[begin]
            assert end - begin + 1 <= rate * seconds + rate + workers - 1


def test_killed_process_loses_no_count_and_the_next_one_goes_on_in_its_place(tmp_path):
    for turn in range(3):
        (process,) = askers(tmp_path, 1)
        seen = 0
        while seen < 3000:
            seen = int(process.stdout.readline().split()[0])
        before = read_usage(tmp_path, 3)["shop"][REQUESTS]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        after = read_usage(tmp_path, 3)["shop"][REQUESTS]
        assert after >= before >= 3000 * turn + 3000
    assert sorted(path.name for path in (tmp_path / "usage").glob("*.counts")) == ["3.0.counts", "3.1.counts"]


def test_file_of_a_further_server_is_taken_up_within_a_second(tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr(usage.time, "monotonic", lambda: now)
    first = Usage(tmp_path)
    first.record("shop", 3)
    others = [Usage(tmp_path) for _ in range(3)]
    for other in others:
        other.record("shop", 3).add(REQUESTS)
    now += 1.0
    assert first.record("shop", 3).total(REQUESTS) == 3


def test_files_of_past_days_go_and_yesterdays_stay(tmp_path):
    found = Usage(tmp_path)
    for day in (3, 4, 5):
        found.record("shop", day).add(ASKED, day)
    assert sorted({usage.day_of(path) for path in (tmp_path / "usage").glob("*.counts")}) == [4, 5]
    assert read_usage(tmp_path, 4)["shop"][ASKED] == 4
    assert found.record("shop", 4).total(ASKED) == 4  # the clock was put back


def test_sign_is_set_once_by_all_workers(tmp_path):
    workers = [Usage(tmp_path, 2) for _ in range(2)]
    marks = [each.record("shop", 3).mark(sign) for sign in (1, 2) for each in (*workers, *workers)]
    assert marks == [True, False, False, False] * 2
    assert read_usage(tmp_path, 3)["shop"][SIGNS] == 3


def test_long_names_are_cut_and_stay_apart(tmp_path):
    names = ["é" * 100, "é" * 99, "x" * 64, "x" * 65, "x" * 66]
    labels = {label_of(name) for name in names}
    assert len(labels) == 5
    assert max(map(len, labels)) <= 64
    workers = [Usage(tmp_path, 2) for _ in range(2)]
    for worker in workers:
        for name in names:
            worker.record(name, 3).add(REQUESTS)
    assert [workers[0].record(name, 3).total(REQUESTS) for name in names] == [2] * 5


def test_more_callers_than_there_is_room_for_are_refused(tmp_path):
    found = Usage(tmp_path)
    for number in range(usage.CALLERS):
        found.record(f"caller {number}", 3)
    with pytest.raises(Fault, match="more than 4096 were counted today"):
        found.record("one more", 3)
    found.record("caller 7", 3).add(REQUESTS)
    found.record("one more", 4)


def test_damaged_file_is_told(tmp_path):
    Usage(tmp_path).record("shop", 3)
    os.truncate(tmp_path / "usage" / "3.1.counts", 100)
    with pytest.raises(Fault, match="is no file of counts"):
        Usage(tmp_path).record("shop", 3)
    assert set(read_usage(tmp_path, 3)) == {"shop"}
