"""The work folder of a batch: whole or not at all, and what its messages say."""

import errno
from datetime import UTC, datetime

import polars as pl
import pytest

from vitok.errors import Busy, DataMistake, UserMistake
from vitok.loop.batch_work import Work

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PART = pl.DataFrame({"id": ["a"], "score": [0.5]})


def test_full_disk_leaves_the_finished_parts_and_says_where(tmp_path, monkeypatch):
    work = Work(tmp_path / "out.csv")
    with work.held():
        work.begin({"input": 1}, NOW)
        work.store(0, PART)

        def full(frame, path, **how):
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
        with pytest.raises(UserMistake, match="No space left") as told:
            work.store(1, PART)
    assert str(work.folder) in told.value.remedy
    assert sorted(path.name for path in work.folder.iterdir()) == ["lock", "part-000000.parquet", "run.json"]
    assert not work.output.exists()


def test_same_facts_go_on_and_changed_ones_begin_anew(tmp_path):
    work = Work(tmp_path / "out.csv")
    with work.held():
        run, changed = work.begin({"input": [1], "options": 2}, NOW)
        work.store(0, PART)
        assert changed == []
        assert work.begin({"input": [1], "options": 2}, NOW) == (run, [])
        assert len(work.parts()) == 1
        another, changed = work.begin({"input": [3], "options": 2}, NOW)
        assert changed == ["input"]
        assert another.id != run.id
        assert work.parts() == []


def test_damaged_state_begins_anew(tmp_path):
    work = Work(tmp_path / "out.csv")
    with work.held():
        work.begin({}, NOW)
        work.store(0, PART)
        (work.folder / "run.json").write_bytes(b"{")
        work.begin({}, NOW)
        assert work.parts() == []


def test_two_processes_do_not_write_the_same_output(tmp_path):
    one, other = Work(tmp_path / "out.csv"), Work(tmp_path / "out.csv")
    with one.held(), pytest.raises(Busy, match=r"out\.csv"), other.held():
        pass


def test_unknown_ending_and_used_folder_are_refused(tmp_path):
    with pytest.raises(DataMistake, match="xlsx"):
        Work(tmp_path / "out.xlsx")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").write_text("")
    with pytest.raises(DataMistake, match="holds something"):
        Work(tmp_path / "used")
