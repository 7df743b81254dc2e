import errno
import os
import resource
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from journal_records import at, outcome, prediction

from vitok.errors import Busy, Fault
from vitok.journal import spool as spool_module
from vitok.journal.commits import HEAD_BYTES
from vitok.journal.index import Index, Lookup
from vitok.journal.segments import mark_path, read_mark, segment_path, segments, spools, verify
from vitok.journal.spool import Spool, drop_through, read_after, remove_if_dead


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 1000)


@contextmanager
def file_limit(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def ids(spool, seq=0):
    return [entry.id for entry in spool.read_after(seq, 10_000)]


def test_records_come_back_in_their_order_and_numbers_are_never_reused(tmp_path):
    spool = Spool(tmp_path, "w")
    spool.append([prediction("a"), outcome("a", True)])
    spool.append([prediction("b")])
    spool.append([])
    assert [(e.seq, e.kind, e.id) for e in spool.read_after(0, 10)] == [
        (1, "prediction", "a"),
        (2, "outcome", "a"),
        (3, "prediction", "b"),
    ]
    assert [e.seq for e in spool.read_after(1, 1)] == [2]
    spool.drop_through(1)
    assert [e.seq for e in spool.read_after(0, 10)] == [2, 3]
    spool.drop_through(3)
    spool.append([prediction("c")])
    assert [e.seq for e in spool.read_after(0, 10)] == [4]
    spool.close()


def test_many_records_are_one_commit(tmp_path):
    spool = Spool(tmp_path, "w")
    spool.append(
        [prediction(str(number)) if number % 3 else outcome(str(number), 1) for number in range(1000)]
    )
    found = spool.read_after(0, 10_000)
    assert [entry.id for entry in found] == [str(number) for number in range(1000)]
    assert [entry.kind for entry in found[:4]] == ["outcome", "prediction", "prediction", "outcome"]
    spool.close()


def test_segments_follow_each_other_and_go_once_all_in_them_is_dropped(tmp_path, small_segments):
    spool = Spool(tmp_path, "w")
    for number in range(20):
        spool.append([prediction(f"{number:02}")])
    numbers = segments(tmp_path, "w")
    assert len(numbers) > 3
    assert all(segment_path(tmp_path, "w", number).stat().st_size <= 1000 for number in numbers)
    assert ids(spool) == [f"{number:02}" for number in range(20)]
    spool.drop_through(1)
    assert segments(tmp_path, "w") == numbers
    spool.drop_through(19)
    assert segments(tmp_path, "w") == numbers[-1:]
    assert ids(spool) == ["19"]
    spool.drop_through(20)
    assert segments(tmp_path, "w") == numbers[-1:]
    assert [entry.seq for entry in spool.read_after(0, 10)] == []
    spool.append([prediction("x")])
    assert [entry.seq for entry in spool.read_after(0, 10)] == [21]
    spool.close()


def test_lost_or_damaged_mark_only_means_that_records_are_read_again(tmp_path):
    spool = Spool(tmp_path, "w")
    spool.append([prediction("a")])
    spool.drop_through(1)
    assert ids(spool) == []
    mark_path(tmp_path, "w").write_bytes(b"x" * 28)
    assert ids(spool) == ["a"]
    mark_path(tmp_path, "w").unlink()
    assert ids(spool) == ["a"]
    spool.close()


def test_file_limit_is_a_fault_keeps_nothing_of_the_commit_and_passes(tmp_path):
    spool = Spool(tmp_path, "w")
    spool.append([prediction("a")])
    size = spool.path.stat().st_size
    with file_limit(size + 2000):
        for _ in range(3):
            with pytest.raises(
                Fault, match=r"spool-w.1.log: cannot be written: .*File too large.*Free disk space"
            ):
                spool.append([prediction(str(number), text="x" * 1000) for number in range(100)])
            assert spool.path.stat().st_size == size
        spool.append([prediction("small")])
    spool.append([prediction("b", text="x" * 3000)])
    assert ids(spool) == ["a", "small", "b"]
    spool.close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_write_that_breaks_off_leaves_no_trace(tmp_path, monkeypatch, code):
    spool, real = Spool(tmp_path, "w"), os.pwrite
    spool.append([prediction("a")])
    size = spool.path.stat().st_size

    def breaks_off(file, data, offset):
        if offset > size:
            raise OSError(code, os.strerror(code))
        return real(file, data[: HEAD_BYTES + 5], offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", breaks_off)
        with pytest.raises(Fault, match="cannot be written"):
            spool.append([prediction("lost")])
    assert spool.path.stat().st_size == size
    spool.append([prediction("b")])
    assert ids(spool) == ["a", "b"]
    assert len(segments(tmp_path, "w")) == 1
    spool.close()


def test_short_write_is_completed(tmp_path, monkeypatch):
    spool, real = Spool(tmp_path, "w"), os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda file, data, offset: real(file, data[:7], offset))
        spool.append([prediction("a")])
    assert ids(spool) == ["a"]
    spool.close()


def test_rest_that_cannot_be_cut_off_at_once_is_cut_off_before_the_next_commit(tmp_path, monkeypatch):
    spool, real = Spool(tmp_path, "w"), os.pwrite

    def breaks_off(file, data, offset):
        real(file, data[:50], offset)
        raise OSError(errno.EIO, "broken")

    def refuses(file, size):
        raise OSError(errno.EIO, "broken too")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", breaks_off)
        patch.setattr(os, "ftruncate", refuses)
        with pytest.raises(Fault, match="broken"):
            spool.append([prediction("lost")])
        with pytest.raises(Fault, match="broken too"):
            spool.append([prediction("lost")])
    assert ids(spool) == []
    spool.append([prediction("a")])
    assert ids(spool) == ["a"]
    spool.close()


def test_durable_commit_that_the_disk_refuses_is_withdrawn_and_its_number_not_used_again(
    tmp_path, monkeypatch
):
    spool, lookup = Spool(tmp_path, "w", durable=True), Lookup(tmp_path)
    spool.append([outcome("a", True)])
    seen = []

    def refuses(file):
        seen.append(lookup.find("ab"))  # whoever reads at this moment sees it
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", refuses)
        with pytest.raises(Fault, match="broken"):
            spool.append([outcome("b", True), outcome("c", True)])
    assert seen == [(set(), {"a": True, "b": True})]
    assert lookup.find("ab") == (set(), {"a": True})
    spool.append([outcome("b", False)])
    assert [(entry.seq, entry.id) for entry in spool.read_after(0, 10)] == [(1, "a"), (4, "b")]
    drop_through(tmp_path, "w", 3)  # as a mover does that saw the withdrawn ones
    assert ids(spool) == ["b"]
    assert lookup.find("ab") == (set(), {"b": False})
    spool.close(), lookup.close()


def test_segment_that_cannot_be_begun_is_a_fault_and_is_tried_again(tmp_path, small_segments, monkeypatch):
    spool, real = Spool(tmp_path, "w"), os.open
    spool.append([prediction("a", text="x" * 900)])

    def refuses(*arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuses)
        with pytest.raises(Fault, match="No space"):
            spool.append([prediction("b", text="x" * 900)])
    assert real is os.open
    spool.append([prediction("c", text="x" * 900)])
    assert ids(spool) == ["a", "c"]
    spool.close()


def test_damaged_tail_waits_while_its_worker_lives_and_is_told_when_it_is_gone(tmp_path):
    spool = Spool(tmp_path, "w")
    spool.append([prediction("a")])
    size = spool.path.stat().st_size
    spool.append([prediction("b")])
    damage(spool.path, size + HEAD_BYTES + 9)
    assert ids(spool) == ["a"]
    spool.drop_through(1)
    spool.close()
    for reads in (lambda: remove_if_dead(tmp_path, "w"), lambda: verify(tmp_path)):
        with pytest.raises(Fault, match=rf"spool-w.1.log: is damaged at byte {size}; .*Restore"):
            reads()
    assert segments(tmp_path, "w") == [1]


@pytest.mark.parametrize("rest", [b"", b"VJ1", b"\0" * 500])
def test_commit_that_its_worker_did_not_finish_is_no_damage(tmp_path, rest):
    spool = Spool(tmp_path, "w")
    spool.append([prediction("a")])
    first = spool.path.read_bytes()
    spool.append([prediction("b")])
    spool.path.write_bytes(first + (rest or spool.path.read_bytes()[len(first) : -1]))
    spool.close()
    assert [entry.id for entry in read_after(tmp_path, "w", 0, 10)] == ["a"]
    verify(tmp_path)
    drop_through(tmp_path, "w", 1)
    assert remove_if_dead(tmp_path, "w")


def test_damage_in_a_closed_segment_is_told_after_what_lies_before_it(tmp_path, small_segments):
    spool, lookup = Spool(tmp_path, "w"), Lookup(tmp_path)
    for key in "abcd":
        spool.append([prediction(key)])
    spool.append([prediction("e", text="x" * 900)])
    place = segment_path(tmp_path, "w", 1).stat().st_size // 2
    damage(segment_path(tmp_path, "w", 1), place)
    found = spool.read_after(0, 10)
    assert 0 < len(found) < 4
    spool.drop_through(found[-1].seq)
    with pytest.raises(Fault, match=r"spool-w.1.log: is damaged at byte \d+"):
        spool.read_after(0, 10)
    with pytest.raises(Fault, match=r"spool-w.1.log: is damaged at byte \d+"):
        lookup.find("e")
    assert 1 in segments(tmp_path, "w")
    spool.close(), lookup.close()


def test_damaged_file_of_an_earlier_process_is_a_fault(tmp_path):
    segment_path(tmp_path, "w", 1).write_bytes(b"no segment" * 1000)
    with pytest.raises(Fault, match=r"spool-w.1.log: is damaged at byte 0"):
        Spool(tmp_path, "w")


def test_folder_that_is_a_file_is_a_fault(tmp_path):
    (tmp_path / "journal").touch()
    with pytest.raises(Fault, match=r"cannot be written"):
        Spool(tmp_path / "journal", "w")


def test_two_workers_cannot_share_a_spool(tmp_path):
    spool = Spool(tmp_path, "w")
    with pytest.raises(Busy):
        Spool(tmp_path, "w")
    spool.close()
    with pytest.raises(Fault):
        spool.append([prediction("a")])


def test_spool_is_removed_only_when_empty_and_its_worker_gone(tmp_path):
    spool = Spool(tmp_path, "w")
    assert not remove_if_dead(tmp_path, "w")
    spool.append([prediction("a")])
    spool.close()
    assert not remove_if_dead(tmp_path, "w")
    drop_through(tmp_path, "w", 1)
    assert remove_if_dead(tmp_path, "w")
    assert os.listdir(tmp_path) == []


def test_killed_worker_loses_nothing_that_was_committed_and_frees_its_lock(tmp_path):
    code = f"""
import os, signal, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from pathlib import Path
from journal_records import prediction
from vitok.journal.commits import encode_commit, seal
from vitok.journal.spool import Spool
spool = Spool(Path({str(tmp_path)!r}), "w")
for number in range(100):
    spool.append([prediction(str(number))])
commit = encode_commit([prediction("open")])
seal(commit, 101)
os.pwrite(spool._file, commit[:-1], spool._end)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    spool = Spool(tmp_path, "w")
    spool.append([prediction("after")])
    assert ids(spool) == [*[str(number) for number in range(100)], "after"]
    assert spool.read_after(100, 10)[0].seq == 101
    drop_through(tmp_path, "w", 101)
    assert segments(tmp_path, "w") == [2]
    spool.close()
    spool = Spool(tmp_path, "w")
    spool.append([prediction("again")])
    assert spool.read_after(0, 10)[0].seq == 102
    assert read_mark(tmp_path, "w").seq == 101
    spool.close()


def test_reader_beside_a_writer_sees_every_record_once_and_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 20_000)
    spool, seen, done = Spool(tmp_path, "w"), [], threading.Event()

    def read():
        while True:
            last = done.is_set()
            found = read_after(tmp_path, "w", 0, 37)
            seen.extend(entry.seq for entry in found)
            if found:
                drop_through(tmp_path, "w", found[-1].seq)
            elif last:
                return

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(600):
        spool.append([prediction(f"{number}-{place}") for place in range(1 + number % 4)])
    done.set()
    reader.join()
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) == 1500
    spool.close()


def test_lookup_sees_spools_of_all_workers_and_the_index(tmp_path):
    one, other = Spool(tmp_path, "one"), Spool(tmp_path, "other")
    lookup = Lookup(tmp_path)
    assert lookup.find(["a"]) == (set(), {})
    one.append([prediction("a"), outcome("a", True)])
    other.append([prediction("b")])
    index = Index(tmp_path)
    index.add(["c"], [outcome("c", "late", 1)])
    assert lookup.find(["a", "b", "c", "d"]) == ({"a", "b", "c"}, {"a": True, "c": "late"})
    index.close(), one.close(), other.close(), lookup.close()


def test_lookup_reads_what_was_added_and_forgets_what_was_removed(tmp_path, small_segments):
    spool, lookup = Spool(tmp_path, "w"), Lookup(tmp_path)
    for number in range(30):
        spool.append([prediction(f"{number}")])
        assert lookup.find([f"{number}", "x"])[0] == {f"{number}"}
    spool.drop_through(30)
    assert lookup.find(["29"])[0] == {"29"}
    assert lookup.find(["0"])[0] == set()  # the mover would have told the index before
    assert len(lookup._recent._known) == 1
    spool.close(), lookup.close()


def test_lookup_survives_the_removal_of_a_spool(tmp_path):
    spool, lookup = Spool(tmp_path, "w"), Lookup(tmp_path)
    assert lookup.find(["a"]) == (set(), {})
    spool.close()
    assert remove_if_dead(tmp_path, "w")
    assert lookup.find(["a"]) == (set(), {})
    assert spools(tmp_path) == {}
    lookup.close()


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("first", "second", "standing"),
    [
        (outcome("a", 1, 0), outcome("a", 2, 5), 1),
        (outcome("a", 1, 0), outcome("a", 2, 5, replace=True), 2),
        (outcome("a", 1, 0, replace=True), outcome("a", 2, 5), 1),
        (outcome("a", 1, 0, replace=True), outcome("a", 2, 5, replace=True), 2),
    ],
)
def test_what_stands_does_not_depend_on_the_order_of_moving(tmp_path, first, second, standing, swapped):
    index, lookup = Index(tmp_path), Lookup(tmp_path)
    for record in (second, first) if swapped else (first, second):
        index.add([], [record])
        index.add([], [record])
    assert lookup.find(["a"])[1] == {"a": standing}
    spool = Spool(tmp_path, "w")
    spool.append([outcome("a", 9, 10)])
    assert lookup.find(["a"])[1] == {"a": standing}
    spool.append([outcome("a", 10, 11, replace=True)])
    assert lookup.find(["a"])[1] == {"a": 10}
    index.close(), lookup.close(), spool.close()
    assert at(0) < at(1)


def test_ids_of_any_text_and_number_are_found_again_and_no_others(tmp_path):
    index, lookup = Index(tmp_path), Lookup(tmp_path)
    ids = ["a\0b", "1", 'the "A"', "ü\u2028", *(f"id-{number:04}" for number in range(1200))]
    index.add(ids, [])
    index.add(ids, [])
    assert lookup.find([*ids, "a", "a\0c", "id-1200"])[0] == set(ids)
    index.close(), lookup.close()


def damage(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
