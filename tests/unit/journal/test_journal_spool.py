import os
import sqlite3
import subprocess
import sys

import pytest
from journal_records import at, outcome, prediction

from vitok.errors import Busy, Fault
from vitok.journal.index import Index, Lookup
from vitok.journal.spool import Spool, remove_if_dead, spools


def test_records_come_back_in_their_order_and_numbers_are_never_reused(tmp_path):
    spool = Spool(tmp_path, "w")
    spool.append([prediction("a"), outcome("a", True)])
    spool.append([prediction("b")])
    assert [(e.seq, e.kind, e.id) for e in spool.read_after(0, 10)] == [
        (1, "prediction", "a"),
        (2, "outcome", "a"),
        (3, "prediction", "b"),
    ]
    assert [e.seq for e in spool.read_after(1, 1)] == [2]
    spool.drop_through(3)
    spool.append([prediction("c")])
    assert [e.seq for e in spool.read_after(0, 10)] == [4]
    spool.close()


def test_full_disk_is_a_fault_and_keeps_nothing_of_the_batch(tmp_path):
    spool = Spool(tmp_path, "w")
    spool.append([prediction("a")])
    pages = spool._connection.execute("PRAGMA page_count").fetchone()[0]
    spool._connection.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(Fault, match=r"full.*Free disk space"):
        spool.append([prediction(str(number), text="x" * 1000) for number in range(100)])
    assert len(spool.read_after(0, 1000)) == 1
    spool._connection.execute(f"PRAGMA max_page_count={pages + 1000}")
    spool.append([prediction("b")])
    assert len(spool.read_after(0, 1000)) == 2
    spool.close()


def test_damaged_file_is_a_fault(tmp_path):
    (tmp_path / "spool-w.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(Fault, match=r"spool-w.sqlite: cannot be written"):
        Spool(tmp_path, "w")


def test_two_workers_cannot_share_a_spool(tmp_path):
    spool = Spool(tmp_path, "w")
    with pytest.raises(Busy):
        Spool(tmp_path, "w")
    spool.close()


def test_spool_is_removed_only_when_empty_and_its_worker_gone(tmp_path):
    spool = Spool(tmp_path, "w")
    assert not remove_if_dead(tmp_path, "w")
    spool.append([prediction("a")])
    spool.close()
    assert not remove_if_dead(tmp_path, "w")
    connection = sqlite3.connect(tmp_path / "spool-w.sqlite", isolation_level=None)
    connection.execute("DELETE FROM records")
    connection.close()
    assert remove_if_dead(tmp_path, "w")
    assert os.listdir(tmp_path) == []


def test_killed_worker_loses_nothing_that_was_committed_and_frees_its_lock(tmp_path):
    code = f"""
import os, signal, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from pathlib import Path
from journal_records import prediction
from vitok.journal.spool import Spool
spool = Spool(Path({str(tmp_path)!r}), "w")
for number in range(100):
    spool.append([prediction(str(number))])
spool._connection.execute("BEGIN IMMEDIATE")
spool._connection.execute("INSERT INTO records(kind, id, body) VALUES ('prediction', 'open', '')")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    spool = Spool(tmp_path, "w")
    assert [entry.id for entry in spool.read_after(0, 1000)] == [str(number) for number in range(100)]
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


def test_checkpoint_empties_the_log_into_the_file(tmp_path):
    spool = Spool(tmp_path, "w")
    spool.append([prediction(str(number), text="x" * 1000) for number in range(100)])
    before = (tmp_path / "spool-w.sqlite").stat().st_size
    spool.checkpoint()
    assert (tmp_path / "spool-w.sqlite").stat().st_size > before + 100_000
    spool.append([prediction("later")])
    assert len(spool.read_after(0, 1000)) == 101
    spool.close()
