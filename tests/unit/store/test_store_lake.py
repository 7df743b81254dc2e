import subprocess
import sys
from datetime import UTC, datetime
from multiprocessing import get_context

import polars as pl
import pytest

from vitok.errors import DataMistake, NotFound
from vitok.store.lake import Lake

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FRAME = pl.DataFrame({"x": [1, 2], "name": ["a", None], "time": [datetime(2026, 1, 1, tzinfo=UTC)] * 2})


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


def test_every_version_stays_readable(lake):
    assert lake.write_version("rows", FRAME) == 0
    assert lake.write_version("rows", FRAME.select("x").head(1)) == 1
    assert lake.read("rows").columns == ["x"]
    assert lake.read("rows", 0).equals(FRAME)
    assert lake.versions("rows") == [0, 1]
    assert lake.scan("rows", 0).select(pl.len()).collect().item() == 2


def test_append_with_a_sequence_happens_once(lake):
    assert lake.last_sequence("rows", "w") is None
    assert lake.append("rows", FRAME, "w", 0)
    assert not lake.append("rows", FRAME, "w", 0)
    assert lake.append("rows", FRAME, "w", 5)
    assert not lake.append("rows", FRAME, "w", 4)
    assert lake.append("rows", FRAME, "v", 1)
    assert lake.append("rows", FRAME)
    assert lake.read("rows").height == 8
    assert (lake.last_sequence("rows", "w"), lake.last_sequence("rows", "v")) == (5, 1)


def test_sequences_survive_compaction(lake):
    for sequence in range(5):
        lake.append("rows", FRAME, "w", sequence)
    lake.compact("rows")
    assert not lake.append("rows", FRAME, "w", 4)
    assert lake.read("rows").height == 10


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.with_columns(x=pl.col("x") + 0.7), "column 'x': is Float64, the table has Int64"),
        (FRAME.drop("name"), "column 'name' .* is missing"),
        (FRAME.with_columns(more=1), "has no column 'more'"),
    ],
)
def test_append_never_casts(lake, frame, message):
    lake.append("rows", FRAME)
    with pytest.raises(DataMistake, match=message):
        lake.append("rows", frame)
    assert lake.read("rows").height == 2


def test_types_that_tables_do_not_have_become_plain(lake):
    naive = pl.Series([NOON]).dt.replace_time_zone(None)
    frame = pl.DataFrame(
        {
            "category": pl.Series(["a"], dtype=pl.Categorical),
            "choice": pl.Series(["a"], dtype=pl.Enum(["a"])),
            "count": pl.Series([1], dtype=pl.UInt32),
            "naive": naive,
            "paris": naive.dt.replace_time_zone("Europe/Paris").cast(pl.Datetime("ns", "Europe/Paris")),
            "nothing": [None],
        }
    )
    lake.write_version("rows", frame)
    read = lake.read("rows")
    time = pl.Datetime("us", "UTC")
    assert read.dtypes == [pl.String, pl.String, pl.Int64, time, time, pl.String]
    assert read["paris"][0] == datetime(2026, 1, 1, 11, tzinfo=UTC)
    assert read["naive"][0] == NOON
    with pytest.raises(DataMistake, match="has type Duration"):
        lake.append("rows", frame.select(wait=pl.lit(1).cast(pl.Duration)))


def test_missing_table_or_version_is_named(lake):
    assert not lake.exists("rows")
    assert lake.versions("rows") == []
    with pytest.raises(NotFound, match="table rows: does not exist"):
        lake.read("rows")
    lake.write_version("rows", FRAME)
    with pytest.raises(NotFound, match="table rows version 9"):
        lake.read("rows", 9)


def _append(place, writer):
    for sequence in range(5):
        Lake(place).append("rows", FRAME, writer, sequence)


def test_concurrent_writers_lose_nothing(lake, tmp_path):
    lake.append("rows", FRAME)
    context = get_context("spawn")
    writers = [context.Process(target=_append, args=(str(tmp_path), f"w{number}")) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert lake.read("rows").height == 2 + 3 * 5 * 2


def test_full_disk_is_said_so_and_leaves_the_table_as_it_was(lake, tmp_path):
    lake.append("rows", FRAME)
    code = f"""
import resource, signal
import polars as pl
from vitok.errors import UserMistake
from vitok.store.lake import Lake
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
frame = pl.DataFrame({{"x": range(200_000)}}).with_columns(
    name=pl.col("x").hash().cast(pl.String), time=pl.lit(0).cast(pl.Datetime("us", "UTC")),
    x=pl.col("x").cast(int)
).select("x", "name", "time")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    Lake({str(tmp_path)!r}).append("rows", frame)
except UserMistake as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Free disk space" in result.stdout
    assert lake.read("rows").equals(FRAME)
