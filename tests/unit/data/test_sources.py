from datetime import UTC, datetime

import polars as pl
import pytest

from vitok.data.sources import query_sources, read_table
from vitok.errors import DataMistake, NotFound


def read(tmp_path, content, name="t.csv"):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(tmp_path / name)


def test_windows_text_with_semicolons_is_read(tmp_path):
    frame = read(tmp_path, "Größe;Stadt\r\n1;Köln\r\n2;Ulm\r\n".encode("cp1252"))
    assert frame.to_dict(as_series=False) == {"Größe": [1, 2], "Stadt": ["Köln", "Ulm"]}


def test_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    assert read(tmp_path, "x,y\n1,2\n".encode("utf-8-sig")).columns == ["x", "y"]


def test_column_without_a_name_gets_one(tmp_path):
    assert read(tmp_path, ",x\n0,a\n1,b\n").columns == ["column_0", "x"]


def test_usual_marks_of_missing_values_become_null(tmp_path):
    frame = read(tmp_path, "x,y\n1,a\nNA,?\n#N/A,-\n4,b\n")
    assert frame["x"].to_list() == [1, None, None, 4]
    assert frame["y"].to_list() == ["a", None, None, "b"]


def test_dates_and_instants_become_utc_microseconds(tmp_path):
    frame = read(tmp_path, "d,i\n2020-01-02,2020-01-02T03:00:00+02:00\n")
    assert frame["d"][0] == datetime(2020, 1, 2, tzinfo=UTC)
    assert frame["i"][0] == datetime(2020, 1, 2, 1, tzinfo=UTC)


def test_times_of_day_and_lengths_become_seconds(tmp_path):
    pl.select(a=pl.duration(minutes=2), b=pl.time(1, 2, 3)).write_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").row(0) == (120.0, 3723.0)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("t.csv", b"", "empty"),
        ("t.csv", b"x,t\n1,\x00\n", "no text file"),
        ("t.csv", b"x,t\n" + b"1,2\n" * 1000 + b"\x00,1\n", "no text file"),
        ("t.csv", b"PAR1....", "no text file"),
        ("t.csv", b"x,x\n1,2\n", "'x' more than once"),
        ("t.csv", b"x\n1,2\n", "cannot be read"),
        ("t.parquet", b"x,t\n1,2\n", "no Parquet file"),
        ("t.parquet", b"PAR1 and then nothing", "cannot be read"),
        ("t.json", b"{", "cannot be read"),
        ("t.xlsx", b"PK", "unknown ending '.xlsx'"),
    ],
)
def test_file_that_is_not_what_its_ending_says_is_refused(tmp_path, name, content, what):
    with pytest.raises(DataMistake, match=what) as caught:
        read(tmp_path, content, name)
    assert name in caught.value.place


def test_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(NotFound):
        read_table(tmp_path / "t.csv")


def test_query_joins_sources_and_its_mistakes_are_told(tmp_path):
    (tmp_path / "a.csv").write_text("k,x\n1,2\n2,3\n")
    (tmp_path / "b.csv").write_text("k,y\n1,5\n")
    sources = {"a": "a.csv", "b": "b.csv"}
    query = "SELECT a.k, x, y FROM a JOIN b ON a.k = b.k"
    assert query_sources(tmp_path, sources, query, "data.query").row(0) == (1, 2, 5)
    with pytest.raises(DataMistake, match="no query"):
        query_sources(tmp_path, sources, None, "data.query")
    for broken in ("SELECT z FROM a", "SELECT * FROM c", "SELEC", "", "DROP TABLE a"):
        with pytest.raises(DataMistake, match=r"data\.query"):
            query_sources(tmp_path, sources, broken, "data.query")
    with pytest.raises(DataMistake, match="no rows"):
        query_sources(tmp_path, sources, "SELECT * FROM a WHERE k > 9", "data.query")
