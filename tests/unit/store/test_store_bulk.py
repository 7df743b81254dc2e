"""Parts of many rows come into a table whole and once, whatever happens meanwhile."""

import subprocess
import sys
from datetime import UTC, datetime

import polars as pl
import pytest

from vitok.errors import DataMistake
from vitok.store import bulk
from vitok.store.bulk import BulkTable
from vitok.store.lake import Lake

FRAME = pl.DataFrame(
    {
        "x": [1 / 3, None, 5.0],
        "n": [1, 2, 3],
        "name": ["a", None, "ж"],
        "yes": [True, False, None],
        "time": [datetime(2026, 1, 1, tzinfo=UTC)] * 3,
        "proba": [[0.1, 0.9], None, []],
    }
)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


def test_parts_are_added_once_and_hold_the_same_rows(lake):
    table = BulkTable(lake, "rows", "w")
    assert table.append(FRAME, 1)
    assert not table.append(FRAME, 1)
    assert not BulkTable(lake, "rows", "w").append(FRAME, 1)
    assert table.append(FRAME.reverse(), 2)
    assert lake.read("rows").sort("n").equals(pl.concat([FRAME, FRAME]).sort("n"))
    assert lake.last_sequence("rows", "w") == 2
    assert lake.missing_files("rows") == []


def test_what_polars_wrote_the_library_reads_appends_to_and_joins(lake):
    BulkTable(lake, "rows", "w").append(FRAME, 1)
    assert lake.append("rows", FRAME, "v", 7)
    lake.compact("rows")
    assert lake.read("rows").height == 6
    assert BulkTable(lake, "rows", "w").append(FRAME, 2)
    assert [lake.last_sequence("rows", writer) for writer in "vw"] == [7, 2]
    assert lake.scan("rows").filter(pl.col("n") == 3).select(pl.len()).collect().item() == 3


def test_two_writers_fill_one_table_in_turn(lake):
    one, other = BulkTable(lake, "rows", "one"), BulkTable(lake, "rows", "other")
    for number in range(1, 25):  # past a checkpoint
        assert one.append(FRAME, number)
        assert other.append(FRAME, number)
    assert lake.read("rows").height == 24 * 2 * 3


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.with_columns(n=pl.col("n") + 0.5), "column 'n': is Float64, the table has Int64"),
        (FRAME.drop("name"), "column 'name' .* is missing"),
        (FRAME.with_columns(more=1), "has no column 'more'"),
    ],
)
def test_parts_are_never_cast(lake, frame, message):
    table = BulkTable(lake, "rows", "w")
    table.append(FRAME, 1)
    for each in (table, BulkTable(lake, "rows", "w")):
        with pytest.raises(DataMistake, match=message):
            each.append(frame, 2)
    assert lake.read("rows").height == 3


def test_a_commit_that_fails_leaves_the_table_as_it_was_and_is_made_again(lake, monkeypatch):
    table = BulkTable(lake, "rows", "w")
    table.append(FRAME, 1)
    with monkeypatch.context() as patch:
        patch.setattr(bulk.BulkTable, "_mark", lambda *_: 1 / 0)
        with pytest.raises(Exception, match="division"):
            table.append(FRAME, 2)
    assert lake.read("rows").height == 3
    assert table.append(FRAME, 2)
    assert lake.read("rows").height == 6


FULL = """
import resource, sys
import polars as pl
from vitok.errors import UserMistake
from vitok.store.bulk import BulkTable
from vitok.store.lake import Lake
import signal
table = BulkTable(Lake(sys.argv[1]), "rows", "w")
table.append(pl.DataFrame({"x": [0.5]}), 1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
import numpy as np
try:
    table.append(pl.DataFrame({"x": np.random.default_rng(0).random(200_000)}), 2)
except UserMistake as error:
    sys.exit(str(error))
"""


def test_full_disk_is_said_so_and_leaves_nothing(lake, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert "table rows: cannot be written: " in done.stderr
    assert "Free disk space" in done.stderr
    assert lake.read("rows").height == 1
    assert len(list((tmp_path / "rows").glob("*.parquet"))) == 1


def test_where_the_lake_is_no_folder_the_library_writes(tmp_path):
    lake = Lake(tmp_path.as_uri())
    table = BulkTable(lake, "rows", "w")
    assert table.append(FRAME, 1)
    assert not table.append(FRAME, 1)
    assert table.append(FRAME, 2)
    assert lake.read("rows").height == 6
